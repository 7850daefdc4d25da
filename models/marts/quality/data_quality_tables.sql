-- One row per channel and table: what became of its files and of the records in them.
-- A refused file has no count of records; a skipped one was landed before, so its records count once.
with

files as (
    select * from {{ source('landing', 'files') }}
),

accounting as (
    select * from {{ ref('int_unified__accounting') }}
),

file_counts as (
    select
        channel,
        table_name,
        count(*) filter (where status = 'landed') as landed_files,
        count(*) filter (where status = 'skipped') as skipped_files,
        count(*) filter (where status = 'refused') as refused_files,
        coalesce(sum(raw_count) filter (where status = 'landed'), 0) as raw_records
    from files
    group by channel, table_name
),

record_counts as (
    select
        _channel as channel,
        _table as table_name,
        coalesce(sum(records) filter (where outcome = 'loaded'), 0) as loaded_records,
        coalesce(sum(records) filter (where outcome = 'quarantined' and entity = 'landing'), 0) as unreadable_records,
        coalesce(sum(records) filter (where outcome = 'quarantined' and entity <> 'landing'), 0) as invalid_records,
        coalesce(sum(records) filter (where outcome = 'duplicate'), 0) as duplicate_records,
        coalesce(sum(records) filter (where outcome = 'superseded'), 0) as superseded_records,
        sum(warnings) as warned_records
    from accounting
    group by _channel, _table
),

final as (
    select
        cast(file_counts.channel as string) as channel,
        cast(file_counts.table_name as string) as table_name,
        cast(file_counts.landed_files as bigint) as landed_file_count,
        cast(file_counts.skipped_files as bigint) as skipped_file_count,
        cast(file_counts.refused_files as bigint) as refused_file_count,
        cast(file_counts.raw_records as bigint) as raw_count,
        cast(coalesce(record_counts.loaded_records, 0) as bigint) as loaded_count,
        cast(coalesce(record_counts.unreadable_records, 0) as bigint) as landing_quarantined_count,
        cast(coalesce(record_counts.invalid_records, 0) as bigint) as unified_quarantined_count,
        cast(coalesce(record_counts.duplicate_records, 0) as bigint) as duplicate_count,
        cast(coalesce(record_counts.superseded_records, 0) as bigint) as superseded_count,
        cast(coalesce(record_counts.warned_records, 0) as bigint) as warning_count,
        {{ share(
            'coalesce(record_counts.unreadable_records + record_counts.invalid_records, 0)', 'file_counts.raw_records'
        ) }} as quarantined_rate
    from file_counts
    left join record_counts
        on file_counts.channel = record_counts.channel and file_counts.table_name = record_counts.table_name
)

select * from final
