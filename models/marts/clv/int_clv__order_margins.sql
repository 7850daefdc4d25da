-- One row per order with lines: the margin of its lines, and how much of what was paid for them has a known cost.
with

order_lines as (
    select order_key, line_paid_amount, margin_amount, margin_source from {{ ref('fct_order_line') }}
    where order_key is not null
),

totals as (
    select
        order_key,
        sum(margin_amount) as margin_amount,
        sum(line_paid_amount) as line_paid_amount,
        sum(line_paid_amount) filter (where margin_source = 'line') as paid_with_line_cost,
        sum(line_paid_amount) filter (where margin_source = 'product') as paid_with_product_cost,
        sum(line_paid_amount) filter (where margin_source = 'category') as paid_with_category_cost,
        sum(line_paid_amount) filter (where margin_source = 'default') as paid_with_default_cost
    from order_lines
    group by order_key
),

final as (
    select
        cast(order_key as string) as order_key,
        {{ as_money('margin_amount') }} as margin_amount,
        {{ as_money('line_paid_amount') }} as line_paid_amount,
        {{ as_money('coalesce(paid_with_line_cost, 0)') }} as line_cost_paid_amount,
        {{ as_money('coalesce(paid_with_product_cost, 0)') }} as product_cost_paid_amount,
        {{ as_money('coalesce(paid_with_category_cost, 0)') }} as category_cost_paid_amount,
        {{ as_money('coalesce(paid_with_default_cost, 0)') }} as default_cost_paid_amount
    from totals
)

select * from final
