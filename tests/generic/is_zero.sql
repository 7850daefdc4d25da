{# Fails with the rows in which a column that must be 0 is not, or is NULL. #}
{% test is_zero(model, column_name) %}
select * from {{ model }} where {{ column_name }} is null or {{ column_name }} <> 0
{% endtest %}
