-- One row per channel, table, entity and reason: records in quarantine.
-- The entity is `landing` where the record could not be read at all. The files, lines and raw bytes behind a reason are in the
-- quarantine and the vault.
with

accounting as (
    select * from {{ ref('int_unified__accounting') }}
    where outcome = 'quarantined'
),

final as (
    select
        cast(_channel as string) as channel,
        cast(_table as string) as table_name,
        cast(entity as string) as entity,
        cast(reason as string) as reason,
        cast(sum(records) as bigint) as record_count
    from accounting
    group by _channel, _table, entity, reason
)

select * from final
