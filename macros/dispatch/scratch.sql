{# Statements for a table that lives only while one model is built. A real table on Spark, because a temporary one there is a
   view, whose lineage would grow with every round that reads it. #}
{% macro scratch_table(name) %}{{ return(adapter.dispatch('scratch_table', 'perennial')(name)) }}{% endmacro %}
{% macro default__scratch_table(name) %}{{ return(this.identifier ~ '__' ~ name) }}{% endmacro %}
{% macro spark__scratch_table(name) %}{{ return(this.schema ~ '.' ~ this.identifier ~ '__' ~ name) }}{% endmacro %}

{% macro create_scratch(table, query) %}{{ return(adapter.dispatch('create_scratch', 'perennial')(table, query)) }}{% endmacro %}
{% macro default__create_scratch(table, query) %}
  {%- do run_query('create or replace temporary table ' ~ table ~ ' as ' ~ query) -%}
{% endmacro %}
{% macro spark__create_scratch(table, query) %}
  {%- do run_query('drop table if exists ' ~ table) -%}
  {%- do run_query('create table ' ~ table ~ ' using parquet as ' ~ query) -%}
{% endmacro %}
