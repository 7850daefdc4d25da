-- One row per landed record of spend, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'spend') }}
),

final as (
    select
        source_system,
        source_record_id,
        spend_date,
        channel,
        cost,
        currency,
        campaign_ref,
        campaign_name,
        adset_ref,
        ad_ref,
        impressions,
        clicks,
        platform_conversions,
        platform_value,
        cost_kind,
        account_ref,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'spend') }}
    from records
)

select * from final
