-- One row per landed line of a receipt, except the lines of refund receipts.
with

receipt_lines as (
    select * from {{ landed('pos', 'receipt_lines') }}
),

final as (
    select
        'pos' as source_system,
        receipt_no || '-' || line_no as source_record_id,
        receipt_no as order_ref,
        quantity,
        line_paid,
        sku as product_ref,
        unit_price,
        line_discount,
        {{ lineage('pos', 'receipt_lines') }}
    from receipt_lines
    where not coalesce({{ pos_is_line_of_refund('receipt_lines') }}, false)
)

select * from final
