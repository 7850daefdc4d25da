-- One row per entity, landed file, source system, day and measure: raw against what became of it.
-- The raw side reads the staging models again, straight from the landed text, and not the records tables, so that a row
-- lost, doubled or altered between the two shows as a difference. Amounts that cannot be read add nothing to either side
-- and are counted beside them.
{% set measured = reconciled_measures() -%}
{% for entity in measured -%}
{% do ref('int_unified__' ~ entity ~ '_records') -%}
{% for channel in channels_feeding(entity) %}{% do ref('stg_' ~ channel ~ '__' ~ entity) %}{% endfor -%}
{% endfor -%}
with

{% for entity, spec in measured.items() -%}
{% set columns = contract_columns(entity) -%}
{% set day = spec.day -%}
{% set wanted = columns | selectattr('name', 'in', ['source_system', day] + spec.measures) | list -%}
{{ entity }}_raw as (
    {% for channel in channels_feeding(entity) -%}
    {% set fed = fed_columns(channel, entity) -%}
    select
        {% for column in wanted -%}
        {{ 'cast(' ~ column.name ~ ' as string)' if column.name in fed else 'cast(null as string)' }} as raw_{{ column.name }},
        {% endfor -%}
        _timezone, _channel, _file_sha, _landed_at
    from {{ ref('stg_' ~ channel ~ '__' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
    {% else -%}
    select
        {% for column in wanted -%}cast(null as string) as raw_{{ column.name }}, {% endfor -%}
        cast(null as string) as _timezone, cast(null as string) as _channel, cast(null as string) as _file_sha,
        cast(null as timestamp) as _landed_at
    from (select 1 as one) as nothing where one = 0
    {% endfor -%}
),

{{ entity }}_read as (
    select
        {% for column in wanted -%}
        {{ plausible(column, '(' ~ typed(column) ~ ')') }} as {{ column.name }},
        {% endfor -%}
        _channel, _file_sha
    from {{ entity }}_raw
),

{% endfor -%}
measured as (
    {% for entity, spec in measured.items() -%}
    {% for measure in ['records'] + spec.measures -%}
    select
        '{{ entity }}' as entity, _channel, _file_sha, source_system,
        {{ reconciled_day(entity, spec.day) }} as day_on, '{{ measure }}' as measure, 'raw' as outcome,
        {{ 'cast(1 as decimal(18,4))' if measure == 'records' else measure }} as amount
    from {{ entity }}_read
    union all
    select
        '{{ entity }}' as entity, _channel, _file_sha, source_system,
        {{ reconciled_day(entity, spec.day) }} as day_on, '{{ measure }}' as measure, outcome,
        {{ 'cast(1 as decimal(18,4))' if measure == 'records' else measure }} as amount
    from {{ ref('int_unified__' ~ entity ~ '_records') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
),

final as (
    select
        entity,
        _channel,
        _file_sha,
        source_system,
        day_on,
        measure,
        {% for outcome in ['raw', 'loaded', 'quarantined', 'duplicate', 'superseded'] -%}
        cast(coalesce(sum(case when outcome = '{{ outcome }}' then amount end), 0) as decimal(38,4)) as {{ outcome }}_value,
        {% endfor -%}
        cast(count(case when outcome = 'raw' and amount is null then 1 end) as bigint) as unreadable_records
    from measured
    group by entity, _channel, _file_sha, source_system, day_on, measure
)

select * from final
