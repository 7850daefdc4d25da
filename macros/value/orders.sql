{# True when an order (aliased `orders`) is valid on a day, however much later that day is looked at: the same test for any
   day in the past, which is what lets history be computed instead of remembered. #}
{% macro valid_on(orders, day) %}
  {{- return("(" ~ orders ~ ".valid_from_on <= " ~ day ~ " and (" ~ orders ~ ".valid_to_on is null or " ~ orders ~ ".valid_to_on > " ~ day ~ "))") -}}
{% endmacro %}
