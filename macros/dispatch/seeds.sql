{# Relation that holds the rows of a seed's file as text, with NULL where dbt loads NULL; none where the warehouse cannot read files. #}
{% macro seed_file(path) %}{{ return(adapter.dispatch('seed_file', 'perennial')(path)) }}{% endmacro %}
{% macro default__seed_file(path) %}{{ return(none) }}{% endmacro %}
{% macro duckdb__seed_file(path) %}
  {{- return("read_csv('" ~ (path | replace("'", "''")) ~ "', all_varchar=true, header=true, delim=',', quote='\"', escape='\"', nullstr='', sample_size=-1)") -}}
{% endmacro %}
