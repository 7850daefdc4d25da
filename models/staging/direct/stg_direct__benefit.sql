-- One row per landed record of benefit, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'benefit') }}
),

final as (
    select
        source_system,
        source_record_id,
        entry_at,
        account_ref,
        benefit_kind,
        entry_kind,
        programme,
        amount,
        cash_value,
        order_ref,
        campaign_ref,
        code,
        expires_at,
        level_from,
        level_to,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'benefit') }}
    from records
)

select * from final
