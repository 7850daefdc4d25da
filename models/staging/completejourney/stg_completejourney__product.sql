-- One row per landed product, named by the finest level of its category that is given.
with

products as (
    select * from {{ landed('completejourney', 'products') }}
),

final as (
    select
        'completejourney' as source_system,
        product_id as source_record_id,
        concat_ws(' ', coalesce(product_type, product_category, department), package_size) as name,
        department as category_l1,
        product_category as category_l2,
        product_type as category_l3,
        brand,
        {{ lineage('completejourney', 'products') }}
    from products
)

select * from final
