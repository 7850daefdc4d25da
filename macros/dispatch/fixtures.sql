{# Columns of a relation, also of a landed table that exists as files only. dbt's unit tests ask for them to complete a
   fixture's rows, so that a test of a staging model names only the columns that it is about. #}
{% macro duckdb__get_columns_in_relation(relation) %}
  {%- set root = env_var('PERENNIAL_DATA', 'data') -%}
  {%- if relation.schema == 'landing' and relation.identifier == 'files' -%}
    {%- set file = root ~ '/ledger/files.parquet' -%}
  {%- elif relation.schema == 'rules' -%}
    {%- set file = root ~ '/landed/rules/' ~ relation.identifier ~ '/rules.parquet' -%}
  {%- elif relation.schema == 'clv' -%}
    {%- set file = root ~ '/clv/_empty/' ~ relation.identifier ~ '.parquet' -%}
  {%- else -%}
    {%- set file = root ~ '/landed/' ~ relation.schema ~ '/' ~ relation.identifier ~ '/_empty.parquet' -%}
  {%- endif -%}
  {%- set is_file = run_query("select count(*) from glob('" ~ file ~ "')").rows[0][0] > 0 -%}
  {%- call statement('columns', fetch_result=true) -%}
    select
      column_name,
      column_type as data_type,
      cast(null as bigint) as character_maximum_length,
      cast(null as bigint) as numeric_precision,
      cast(null as bigint) as numeric_scale
    from (describe {{ "select * from read_parquet('" ~ file ~ "')" if is_file else relation.render() }})
  {%- endcall -%}
  {{- return(sql_convert_columns_in_relation(load_result('columns').table)) -}}
{% endmacro %}
