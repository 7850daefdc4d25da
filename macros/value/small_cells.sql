{# True for a cell that may be shown: 30 customers or more stand behind it, and it does not tell by subtraction what the only hidden
   cell of its group holds, as the next larger one would. #}
{% macro is_shown(group, customers, cell) -%}
({{ customers }} >= 30 and (
  sum(case when {{ customers }} < 30 then 1 else 0 end) over (partition by {{ group }}) <> 1
  or row_number() over (partition by {{ group }} order by {{ customers }} asc nulls last, {{ cell }} asc nulls last) <> 2
))
{%- endmacro %}
