-- One row per landed record of referral, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'referral') }}
),

final as (
    select
        source_system,
        source_record_id,
        referrer_ref,
        referee_ref,
        referee_ids,
        code,
        invited_at,
        registered_at,
        converted_order_ref,
        reward_ref,
        level,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'referral') }}
    from records
)

select * from final
