-- One row per landed version of a receipt that is not a refund.
-- A receipt of a type that nobody knows stays without a status, so that it is counted in quarantine and in no sum.
with

receipts as (
    select * from {{ landed('pos', 'receipts') }}
),

final as (
    select
        'pos' as source_system,
        receipt_no as source_record_id,
        {{ ts_from_slashes('business_time') }} as ordered_at,
        case when upper(trim(receipt_type)) = 'SALE' then 'completed' end as status,
        paid_amount,
        currency,
        ids,
        {{ ts_from_slashes('business_time') }} as paid_at,
        {{ ts_from_slashes('business_time') }} as completed_at,
        store_code as store_ref,
        'store' as platform,
        'pos' as channel_raw,
        goods_amount,
        discount_amount,
        tax_amount,
        'true' as tax_included,
        is_training as is_test,
        {{ ts_from_slashes('updated_at') }} as updated_at,
        {{ lineage('pos', 'receipts') }}
    from receipts
    where coalesce(upper(trim(receipt_type)), '') <> 'REFUND'
)

select * from final
