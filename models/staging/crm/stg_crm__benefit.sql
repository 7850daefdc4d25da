-- One row per landed change of a member's level: the ledger of what the programme gives.
with

levels as (
    select * from {{ landed('crm', 'levels') }}
),

final as (
    select
        'crm' as source_system,
        'level-' || id as source_record_id,
        {{ ts_from_slashes('changed_at') }} as entry_at,
        member_no as account_ref,
        'level' as benefit_kind,
        'level_change' as entry_kind,
        level_from,
        level_to,
        {{ lineage('crm', 'levels') }}
    from levels
)

select * from final
