-- One row per landed record of order_line, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'order_line') }}
),

final as (
    select
        source_system,
        source_record_id,
        order_ref,
        quantity,
        line_paid,
        product_ref,
        unit_price,
        line_discount,
        unit_cost,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'order_line') }}
    from records
)

select * from final
