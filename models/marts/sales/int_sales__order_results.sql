-- One row per order that was ever a paid sale, as known on as_of: what it brought by order day and what became of it.
-- Valid orders count by order day. Fully refunded ones count only in money by refund day, where their refunds meet them.
with

orders as (
    select
        order_key, customer_id, channel_code, ordered_on, paid_amount, net_amount, is_valid, is_first_order, is_rate_missing
    from {{ ref('fct_order') }}
    where is_sale
),

customers as (
    select customer_id, not is_unknown and not is_anonymous as is_identified from {{ ref('dim_customer') }}
),

margins as (
    select * from {{ ref('int_clv__order_margins') }}
),

given_back as (
    select order_key, sum(refund_amount) as given_back_amount
    from {{ ref('fct_refund') }}
    where is_counted and {{ keeps_goods('refund_kind') }}
    group by order_key
),

final as (
    select
        cast(orders.order_key as string) as order_key,
        cast(orders.customer_id as string) as customer_id,
        cast(orders.channel_code as string) as channel_code,
        orders.ordered_on,
        {{ month_of('orders.ordered_on') }} as month_on,
        orders.is_valid,
        orders.is_rate_missing,
        orders.is_valid and customers.is_identified as is_buyer_order,
        orders.is_valid and customers.is_identified and orders.is_first_order as is_new_buyer_order,
        cast(orders.paid_amount as decimal(18,4)) as paid_amount,
        cast(case when orders.is_valid then orders.net_amount end as decimal(18,4)) as net_amount,
        cast(case when orders.is_valid then {{ order_gross_profit(
            'margins.margin_amount', 'orders.paid_amount',
            '(orders.paid_amount - orders.net_amount - coalesce(given_back.given_back_amount, 0))',
            'coalesce(given_back.given_back_amount, 0)') }} end as decimal(18,4)) as gross_profit_amount
    from orders
    inner join customers on orders.customer_id = customers.customer_id
    left join margins on orders.order_key = margins.order_key
    left join given_back on orders.order_key = given_back.order_key
)

select * from final
