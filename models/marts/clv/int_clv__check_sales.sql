-- One row per customer with a valid order on as_of or a refund without order: net sales and profit, on a second path.
-- Only for clv_identity_check: it reads the state and net amount that core gives each order for as_of, and adds up profit line
-- by line.
with

orders as (
    select order_key, customer_id, ordered_on, paid_amount, net_amount from {{ ref('fct_order') }}
    where is_valid
),

order_lines as (
    select order_key, margin_amount from {{ ref('fct_order_line') }}
    where margin_amount is not null
),

refunds as (
    select
        order_key,
        customer_id,
        refund_amount,
        {{ keeps_goods('refund_kind') }} as keeps_goods,
        is_orderless
    from {{ ref('fct_refund') }}
    where is_counted
),

returned as (
    select order_key, sum(refund_amount) as refund_amount from refunds
    where not keeps_goods
    group by order_key
),

line_profits as (
    select
        orders.customer_id,
        cast(order_lines.margin_amount as double)
        - cast(order_lines.margin_amount as double) * cast(coalesce(returned.refund_amount, 0) as double)
        / nullif(cast(orders.paid_amount as double), 0) as profit
    from orders
    inner join order_lines on orders.order_key = order_lines.order_key
    left join returned on orders.order_key = returned.order_key
    union all
    select orders.customer_id, -cast(refunds.refund_amount as double) as profit
    from refunds
    inner join orders on refunds.order_key = orders.order_key
    where
        refunds.keeps_goods
        and refunds.order_key in (select order_lines.order_key from order_lines)
),

amounts as (
    select customer_id, ordered_on as first_order_on, net_amount, cast(null as decimal(28,9)) as profit, 0 as given_back
    from orders
    union all
    select customer_id, null as first_order_on, 0 as net_amount, cast(round(profit, 9) as decimal(28,9)) as profit, 0 as given_back
    from line_profits
    union all
    select
        customer_id,
        null as first_order_on,
        -refund_amount as net_amount,
        null as profit,
        case when keeps_goods then refund_amount else 0 end as given_back
    from refunds
    where is_orderless
),

final as (
    select
        cast(customer_id as string) as customer_id,
        cast(min(first_order_on) as date) as first_order_on,
        cast(sum(net_amount) as decimal(18,4)) as net_sales_amount,
        cast(sum(profit) - sum(given_back) as decimal(18,4)) as profit_amount
    from amounts
    group by customer_id
)

select * from final
