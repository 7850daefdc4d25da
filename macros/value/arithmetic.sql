{# Share of a part in a whole as decimal(18,6); NULL where the whole is 0 or NULL. #}
{% macro share(part, whole) %}
  {{- return("cast(round(cast(" ~ part ~ " as double) / nullif(cast(" ~ whole ~ " as double), 0), 6) as decimal(18,6))") -}}
{% endmacro %}

{# Difference of two values: 0 where both are NULL, NULL where only one is, so that a value that went missing shows. #}
{% macro difference(a, b) %}
  {{- return("case when " ~ a ~ " is null and " ~ b ~ " is null then 0 else " ~ a ~ " - " ~ b ~ " end") -}}
{% endmacro %}
