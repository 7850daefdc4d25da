-- One row per landed version of an order line, after its share of every discount.
-- The shop states no amount paid for a line: it is the price of all pieces less the discounts, which the line carries
-- only in part itself; discount_allocation has the whole. An amount that cannot be read passes through as it is written,
-- so that the line goes to quarantine rather than into a wrong sum.
with

lines as (
    select * from {{ landed('shopify', 'order_line') }}
),

allocations as (
    select
        {{ clean_key('order_line_id') }} as line_key,
        max(case when {{ is_unreadable('amount') }} then amount end) as unreadable_amount,
        {{ decimal_text('sum(' ~ read_decimal('amount') ~ ')') }} as amount
    from {{ landed_current('shopify', 'discount_allocation', shopify_lookups().discount_allocation) }} as discount_allocation
    group by 1
),

amounts as (
    select
        lines.*,
        coalesce(allocations.unreadable_amount, allocations.amount, lines.total_discount) as discount,
        case
            when trim(lines.price) <> '' and {{ read_decimal('lines.price') }} is null then lines.price
            when trim(lines.price) <> ''
                then {{ exact('lines.price', '*', 'lines.quantity') }}
            else lines.original_total_set_shop_amount
        end as total
    from lines
    left join allocations on {{ clean_key('lines.id') }} = allocations.line_key
),

final as (
    select
        'shopify' as source_system,
        id as source_record_id,
        order_id as order_ref,
        quantity,
        case
            when {{ is_unreadable('discount') }} then discount
            when {{ is_unreadable('total') }} then total
            else {{ exact('total', '-', 'discount?') }}
        end as line_paid,
        variant_id as product_ref,
        price as unit_price,
        discount as line_discount,
        _fivetran_synced as loaded_at,
        {{ lineage('shopify', 'order_line') }}
    from amounts
)

select * from final
