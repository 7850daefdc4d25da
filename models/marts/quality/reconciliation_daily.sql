-- One row per entity, landed file, source system, day and measure: raw = loaded + quarantined + duplicate + superseded.
-- The day is NULL where a record has none (an order line) or where it cannot be read.
with

reconciliation as (
    select * from {{ ref('int_unified__reconciliation') }}
),

final as (
    select
        cast(entity as string) as entity,
        cast(_channel as string) as channel,
        cast(_file_sha as string) as file_sha,
        cast(source_system as string) as source_system,
        cast(day_on as date) as day_on,
        cast(measure as string) as measure,
        cast(raw_value as decimal(18,4)) as raw_value,
        cast(loaded_value as decimal(18,4)) as loaded_value,
        cast(quarantined_value as decimal(18,4)) as quarantined_value,
        cast(duplicate_value as decimal(18,4)) as duplicate_value,
        cast(superseded_value as decimal(18,4)) as superseded_value,
        cast(raw_value - loaded_value - quarantined_value - duplicate_value - superseded_value as decimal(18,4))
            as difference_value,
        cast(unreadable_records as bigint) as unreadable_records
    from reconciliation
)

select * from final
