-- One row per landed record of refund, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'refund') }}
),

final as (
    select
        source_system,
        source_record_id,
        order_ref,
        refunded_at,
        amount,
        order_line_ref,
        product_ref,
        store_ref,
        account_ref,
        ids,
        currency,
        refund_kind,
        quantity,
        shipping_refunded,
        reason,
        status,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'refund') }}
    from records
)

select * from final
