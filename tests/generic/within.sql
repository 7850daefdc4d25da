{# Fails with the rows in which a column lies further from 0 than at_most. #}
{% test within(model, column_name, at_most) %}
select * from {{ model }} where abs({{ column_name }}) > {{ at_most }}
{% endtest %}
