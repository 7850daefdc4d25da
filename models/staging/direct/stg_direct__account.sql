-- One row per landed record of account, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'account') }}
),

final as (
    select
        source_system,
        source_record_id,
        registered_at,
        created_at,
        account_kind,
        ids,
        name,
        gender,
        birth_date,
        country,
        province,
        city,
        phone_raw,
        email_raw,
        level_code,
        advisor_ref,
        first_channel_raw,
        first_campaign_raw,
        referrer_code,
        is_test,
        subscribe_status,
        unsubscribed_at,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'account') }}
    from records
)

select * from final
