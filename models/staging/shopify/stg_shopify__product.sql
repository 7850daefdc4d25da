-- One row per landed version of a variant, which is what is sold, with its product's name and its stock item's cost.
with

variants as (
    select * from {{ landed('shopify', 'product_variant') }}
),

products as (
    select _key, title, product_type, vendor
    from {{ landed_current('shopify', 'product', shopify_lookups().product) }} as product
),

stock_items as (
    select _key, unit_cost_amount, unit_cost_currency_code
    from {{ landed_current('shopify', 'inventory_item', shopify_lookups().inventory_item) }} as inventory_item
),

final as (
    select
        'shopify' as source_system,
        variants.id as source_record_id,
        -- a product without a choice of variants has one, which the shop calls Default Title
        case
            when products.title is null then coalesce(nullif(trim(variants.display_name), ''), variants.title)
            when trim(variants.title) <> '' and trim(variants.title) <> 'Default Title'
                then products.title || ' - ' || trim(variants.title)
            else products.title
        end as name,
        products.product_type as category_l1,
        products.vendor as brand,
        stock_items.unit_cost_amount as unit_cost,
        stock_items.unit_cost_currency_code as cost_currency,
        variants._fivetran_synced as loaded_at,
        variants.updated_at,
        {{ lineage('shopify', 'product_variant') }}
    from variants
    left join products on {{ clean_key('variants.product_id') }} = products._key
    left join stock_items on {{ clean_key('variants.inventory_item_id') }} = stock_items._key
)

select * from final
