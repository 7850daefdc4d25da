{# What past runs left in identity_quality_run, none before the first one. A macro, so that unit tests can tell of runs that the
   warehouse, which may not exist yet, has never seen. #}
{% macro past_quality_runs() %}
  {%- if is_incremental() -%}
    select run_number, landed_at, measure, dimension, measure_value from {{ this }}
  {%- else -%}
    select
        cast(null as bigint) as run_number,
        cast(null as timestamp) as landed_at,
        cast(null as string) as measure,
        cast(null as string) as dimension,
        cast(null as decimal(18, 6)) as measure_value
    where 1 = 0
  {%- endif -%}
{% endmacro %}
