{# Schemas are the layers, under their own names, so that a reader finds core.fct_order and not main_core.fct_order. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
