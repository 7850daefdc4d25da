{# Calendar months from day a to day b, whatever the day of the month: 31 January to 1 February is one. #}
{% macro months_between(a, b) %}
  {{- return("(extract(year from " ~ b ~ ") * 12 + extract(month from " ~ b ~ ") - extract(year from " ~ a ~ ") * 12 - extract(month from " ~ a ~ "))") -}}
{% endmacro %}

{# First day of the month of a day. #}
{% macro month_of(day) %}{{ return("cast(date_trunc('month', " ~ day ~ ") as date)") }}{% endmacro %}
