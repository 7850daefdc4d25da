{# Fails with the rows in which one of the columns lies further from 0 than at_most. #}
{% test within(model, columns, at_most) %}
select * from {{ model }}
where {% for column in columns %}abs({{ column }}) > {{ at_most }}{{ " or " if not loop.last }}{% endfor %}
{% endtest %}
