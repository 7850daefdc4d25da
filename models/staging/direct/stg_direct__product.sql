-- One row per landed record of product, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'product') }}
),

final as (
    select
        source_system,
        source_record_id,
        name,
        valid_from,
        category_l1,
        category_l2,
        category_l3,
        brand,
        unit_cost,
        cost_currency,
        margin_rate,
        replenish_days,
        service_cycle_days,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'product') }}
    from records
)

select * from final
