-- One row per landed version of a refund receipt; tills write the money paid back with or without a minus sign.
with

receipts as (
    select * from {{ landed('pos', 'receipts') }}
),

final as (
    select
        'pos' as source_system,
        receipt_no as source_record_id,
        original_receipt_no as order_ref,
        {{ ts_from_slashes('business_time') }} as refunded_at,
        case when {{ re_match('trim(paid_amount)', '^-[0-9]') }} then substring(trim(paid_amount), 2) else paid_amount end as amount,
        store_code as store_ref,
        ids,
        currency,
        'return' as refund_kind,
        -- a refund practised in training mode never happened
        case when lower(trim(is_training)) in ('true', 't', 'yes', '1') then 'rejected' else 'completed' end as status,
        {{ ts_from_slashes('updated_at') }} as updated_at,
        {{ lineage('pos', 'receipts') }}
    from receipts
    where upper(trim(receipt_type)) = 'REFUND'
)

select * from final
