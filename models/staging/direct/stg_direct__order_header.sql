-- One row per landed record of order_header, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'order_header') }}
),

final as (
    select
        source_system,
        source_record_id,
        ordered_at,
        status,
        paid_amount,
        currency,
        account_ref,
        ids,
        paid_at,
        cancelled_at,
        completed_at,
        store_ref,
        platform,
        channel_raw,
        session_ref,
        utm_source,
        utm_medium,
        utm_campaign,
        goods_amount,
        discount_amount,
        shipping_amount,
        tax_amount,
        tax_included,
        coupon_ref,
        campaign_ref,
        is_test,
        is_gift,
        business_type,
        order_kind,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'order_header') }}
    from records
)

select * from final
