-- One row per landed version of a product in the item master.
with

items as (
    select * from {{ landed('pos', 'items') }}
),

final as (
    select
        'pos' as source_system,
        sku as source_record_id,
        name,
        category_l1,
        category_l2,
        category_l3,
        brand,
        unit_cost,
        cost_currency,
        replenish_days,
        {{ ts_from_slashes('updated_at') }} as updated_at,
        {{ lineage('pos', 'items') }}
    from items
)

select * from final
