{# Landed rows of a table as text, with the zone of their naive timestamps and the moment of landing.

   A file counts from the moment that the ledger says so: a Parquet file that a killed run left behind without a row in the
   ledger stays invisible. #}
{% macro landed(channel, table) %}
  {%- set sql -%}
    (
        select
            landed.*,
            '{{ source_timezone(channel, table) }}' as _timezone,
            files.landed_at as _landed_at
        from {{ source(channel, table) }} as landed
        inner join {{ source('landing', 'files') }} as files
            on landed._file_sha = files.file_sha
            and files.channel = '{{ channel }}'
            and files.table_name = '{{ table }}'
            and files.status = 'landed'
    )
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# The trailing columns of every staging model. `is_primary` is true for exactly one staging row of a landed record; a
   second entity that is read out of the same record says false, so that the record is counted once. #}
{% macro lineage(channel, table, is_primary=true) %}
  {%- set sql -%}
    '{{ channel }}' as _channel,
    '{{ table }}' as _table,
    _file_sha,
    _line,
    _timezone,
    {{ 'true' if is_primary else 'false' }} as _is_primary,
    _landed_at,
    _warnings
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# Time zone of a table's naive timestamps, as its source declares it. #}
{% macro source_timezone(channel, table) %}
  {%- set declared = _source_of(channel, table) -%}
  {%- set meta = (declared.get('config', {}).get('meta', {}) or declared.get('meta', {})) if declared else {} -%}
  {{- return(meta.get('timezone', 'UTC')) -}}
{% endmacro %}

{# Declared columns of a landed table, in their order. Empty while dbt parses, because the graph is known only when it
   executes. #}
{% macro landed_columns(channel, table) %}
  {%- set declared = _source_of(channel, table) -%}
  {{- return(declared.columns.keys() | list if declared else []) -}}
{% endmacro %}

{% macro _source_of(channel, table) %}
  {%- if execute -%}
    {{- return(graph.get('sources', {}).get('source.perennial.' ~ channel ~ '.' ~ table)) -}}
  {%- endif -%}
  {{- return(none) -}}
{% endmacro %}
