-- One row per landed file, entity, outcome and reason: how many of the file's records came to it.
-- Only the row that answers for a landed record counts (_is_primary), so that a record which feeds two entities is
-- counted once. Records that landing could not read stand beside those that the unified layer refused.
with

{% for entity in entities() -%}
{{ entity }}_records as (
    select
        _channel, _table, _file_sha, '{{ entity }}' as entity, outcome, _reason as reason,
        count(*) as records,
        count(*) filter (where has_warning) as warnings
    from {{ ref('int_unified__' ~ entity ~ '_records') }}
    where _is_primary
    group by _channel, _table, _file_sha, outcome, _reason
),

{% endfor -%}
{% for channel in channels_feeding('lookup') -%}
{{ channel }}_lookups as (
    select
        _channel, _table, _file_sha, 'lookup' as entity, outcome, reason,
        count(*) as records,
        count(*) filter (where _warnings is not null) as warnings
    from {{ ref('stg_' ~ channel ~ '__lookup') }}
    group by _channel, _table, _file_sha, outcome, reason
),

{% endfor -%}
unreadable_records as (
    select
        quarantine.channel as _channel, quarantine.table_name as _table, quarantine.file_sha as _file_sha,
        'landing' as entity, 'quarantined' as outcome, quarantine.reason,
        count(*) as records,
        cast(0 as bigint) as warnings
    from {{ source('landing', 'quarantine') }} as quarantine
    inner join {{ source('landing', 'files') }} as files
        on quarantine.channel = files.channel
        and quarantine.table_name = files.table_name
        and quarantine.file_sha = files.file_sha
        and files.status = 'landed'
    group by quarantine.channel, quarantine.table_name, quarantine.file_sha, quarantine.reason
),

counted as (
    {% for entity in entities() -%}
    select * from {{ entity }}_records
    union all
    {% endfor -%}
    {% for channel in channels_feeding('lookup') -%}
    select * from {{ channel }}_lookups
    union all
    {% endfor -%}
    select * from unreadable_records
),

final as (
    select
        _channel,
        _table,
        _file_sha,
        entity,
        outcome,
        cast(reason as string) as reason,
        cast(records as bigint) as records,
        cast(warnings as bigint) as warnings
    from counted
)

select * from final
