-- One row per customer and as_of with a valid order or a refund of its own: orders, net sales and gross profit.
-- A refund without an order lowers the net sales of the customer whom it names. It returns no goods whose margin is known, so
-- it lowers gross profit only where the goods stay with the buyer.
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
),

orders as (
    select order_key, customer_id, ordered_on, valid_from_on, valid_to_on, paid_amount from {{ ref('fct_order') }}
    where valid_from_on is not null
),

refunds as (
    select
        order_key,
        customer_id,
        refunded_on,
        refund_amount,
        case when {{ keeps_goods('refund_kind') }} then refund_amount else 0 end as given_back_amount,
        is_orderless
    from {{ ref('fct_refund') }}
    where is_completed and not is_test
),

margins as (
    select * from {{ ref('int_clv__order_margins') }}
),

valued as (
    select
        orders.*,
        margins.margin_amount,
        coalesce(margins.line_paid_amount, orders.paid_amount) as basis_amount,
        margins.line_cost_paid_amount,
        margins.product_cost_paid_amount,
        margins.category_cost_paid_amount,
        margins.default_cost_paid_amount
    from orders
    left join margins on orders.order_key = margins.order_key
),

refund_days as (
    select
        orders.order_key,
        days.as_of,
        sum(refunds.refund_amount) as refund_amount,
        sum(refunds.given_back_amount) as given_back_amount
    from refunds
    inner join orders on refunds.order_key = orders.order_key
    inner join days on refunds.refunded_on <= days.as_of and {{ valid_on('orders', 'days.as_of') }}
    group by orders.order_key, days.as_of
),

movements as (
    select
        orders.*,
        days.as_of,
        orders.paid_amount - coalesce(refund_days.refund_amount, 0) as net_amount,
        {{ order_gross_profit(
            'orders.margin_amount', 'orders.paid_amount',
            '(coalesce(refund_days.refund_amount, 0) - coalesce(refund_days.given_back_amount, 0))',
            'coalesce(refund_days.given_back_amount, 0)') }} as gross_profit_amount
    from valued as orders
    inner join days on {{ valid_on('orders', 'days.as_of') }}
    left join refund_days on orders.order_key = refund_days.order_key and days.as_of = refund_days.as_of
),

order_totals as (
    select
        customer_id,
        as_of,
        min(ordered_on) as first_order_on,
        max(ordered_on) as last_order_on,
        count(*) as order_count,
        count(distinct ordered_on) as order_day_count,
        sum(net_amount) as net_amount,
        sum(gross_profit_amount) as gross_profit_amount,
        sum(basis_amount) as basis_amount,
        coalesce(sum(line_cost_paid_amount), 0) as line_cost_paid_amount,
        coalesce(sum(product_cost_paid_amount), 0) as product_cost_paid_amount,
        coalesce(sum(category_cost_paid_amount), 0) as category_cost_paid_amount,
        coalesce(sum(default_cost_paid_amount), 0) as default_cost_paid_amount
    from movements
    group by customer_id, as_of
),

orderless_totals as (
    select
        refunds.customer_id,
        days.as_of,
        sum(refunds.refund_amount) as refund_amount,
        sum(refunds.given_back_amount) as given_back_amount
    from refunds
    inner join days on refunds.refunded_on <= days.as_of
    where refunds.is_orderless
    group by refunds.customer_id, days.as_of
),

final as (
    select
        cast(coalesce(order_totals.customer_id, orderless_totals.customer_id) as string) as customer_id,
        cast(coalesce(order_totals.as_of, orderless_totals.as_of) as date) as as_of,
        cast(order_totals.first_order_on as date) as first_order_on,
        cast(order_totals.last_order_on as date) as last_order_on,
        cast(coalesce(order_totals.order_count, 0) as bigint) as order_count,
        cast(order_totals.order_day_count as bigint) as order_day_count,
        cast(coalesce(order_totals.net_amount, 0) - coalesce(orderless_totals.refund_amount, 0) as decimal(18,4))
            as net_sales_amount,
        cast(order_totals.gross_profit_amount - coalesce(orderless_totals.given_back_amount, 0) as decimal(18,4))
            as gross_profit_amount,
        cast(order_totals.basis_amount as decimal(18,4)) as basis_amount,
        {{ as_money('order_totals.line_cost_paid_amount') }} as line_cost_paid_amount,
        {{ as_money('order_totals.product_cost_paid_amount') }} as product_cost_paid_amount,
        {{ as_money('order_totals.category_cost_paid_amount') }} as category_cost_paid_amount,
        {{ as_money('order_totals.default_cost_paid_amount') }} as default_cost_paid_amount
    from order_totals
    full outer join orderless_totals
        on order_totals.customer_id = orderless_totals.customer_id and order_totals.as_of = orderless_totals.as_of
)

select * from final
