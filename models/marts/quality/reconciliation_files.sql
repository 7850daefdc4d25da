-- One row per landed file: its records as counted from the file's own bytes, against where they went.
-- A difference other than 0 means that a record was lost or doubled, and stops publishing.
with

files as (
    select channel, table_name, file_name, file_sha, raw_count, landed_at
    from {{ source('landing', 'files') }}
    where status = 'landed'
),

accounting as (
    select * from {{ ref('int_unified__accounting') }}
),

outcomes as (
    select
        _channel,
        _table,
        _file_sha,
        sum(case when outcome = 'loaded' then records else 0 end) as loaded_records,
        sum(case when outcome = 'quarantined' then records else 0 end) as quarantined_records,
        sum(case when outcome = 'duplicate' then records else 0 end) as duplicate_records,
        sum(case when outcome = 'superseded' then records else 0 end) as superseded_records
    from accounting
    group by _channel, _table, _file_sha
),

final as (
    select
        cast(files.channel as string) as channel,
        cast(files.table_name as string) as table_name,
        cast(files.file_sha as string) as file_sha,
        cast(files.file_name as string) as file_name,
        cast(files.landed_at as timestamp) as landed_at,
        cast(files.raw_count as bigint) as raw_records,
        cast(coalesce(outcomes.loaded_records, 0) as bigint) as loaded_records,
        cast(coalesce(outcomes.quarantined_records, 0) as bigint) as quarantined_records,
        cast(coalesce(outcomes.duplicate_records, 0) as bigint) as duplicate_records,
        cast(coalesce(outcomes.superseded_records, 0) as bigint) as superseded_records,
        cast(files.raw_count - coalesce(
            outcomes.loaded_records + outcomes.quarantined_records + outcomes.duplicate_records + outcomes.superseded_records, 0
        ) as bigint) as difference_records
    from files
    left join outcomes
        on
            files.channel = outcomes._channel
            and files.table_name = outcomes._table
            and files.file_sha = outcomes._file_sha
)

select * from final
