-- One row per customer, local order day and day from which a change became known: orders, net sales and margin that it adds. What is
-- unknown of them has a row of its own, so that nobody takes the sum of the known part for the whole.
-- The state on any day d is the sum of the rows known on or before d, by customer and order day, where orders are left; so a
-- model can be trained at any day in the past, and nothing later reaches it. An order that ends takes back all that it brought.
-- A refund without an order has no order day: it lowers the customer's net sales and belongs to no order. An order without an
-- exchange rate counts as an order whose net sales are NULL.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

orders as (
    select orders.*, margins.margin_amount
    from {{ ref('fct_order') }} as orders
    inner join customers on orders.customer_id = customers.customer_id
    left join {{ ref('int_clv__order_margins') }} as margins on orders.order_key = margins.order_key
    where orders.valid_from_on is not null
),

refunds as (
    select
        order_key,
        customer_id,
        refunded_on,
        refund_amount,
        is_orderless,
        case when {{ keeps_goods('refund_kind') }} then refund_amount else 0 end as given_back_amount
    from {{ ref('fct_refund') }}
    where is_completed and not is_test
),

movements as (
    select
        customer_id,
        ordered_on,
        valid_from_on as known_on,
        valid_to_on,
        1 as order_delta,
        paid_amount as net_sales_delta,
        margin_amount as margin_delta
    from orders
    union all
    select
        orders.customer_id,
        orders.ordered_on,
        greatest(refunds.refunded_on, orders.valid_from_on) as known_on,
        orders.valid_to_on,
        0 as order_delta,
        -refunds.refund_amount as net_sales_delta,
        {{ as_money(order_gross_profit(
            'orders.margin_amount', 'orders.paid_amount', '(refunds.refund_amount - refunds.given_back_amount)', 'refunds.given_back_amount'
        ) ~ ' - orders.margin_amount') }} as margin_delta
    from refunds
    inner join orders on refunds.order_key = orders.order_key
    where orders.valid_to_on is null or refunds.refunded_on < orders.valid_to_on
    union all
    select
        refunds.customer_id,
        cast(null as date) as ordered_on,
        refunds.refunded_on as known_on,
        cast(null as date) as valid_to_on,
        0 as order_delta,
        -refunds.refund_amount as net_sales_delta,
        -refunds.given_back_amount as margin_delta
    from refunds
    inner join customers on refunds.customer_id = customers.customer_id
    where refunds.is_orderless
),

changes as (
    select customer_id, ordered_on, known_on, order_delta, net_sales_delta, margin_delta from movements
    union all
    select
        customer_id,
        ordered_on,
        valid_to_on as known_on,
        -order_delta as order_delta,
        -net_sales_delta as net_sales_delta,
        -margin_delta as margin_delta
    from movements
    where valid_to_on is not null
),

final as (
    select
        cast(changes.customer_id as string) as customer_id,
        cast(changes.ordered_on as date) as order_day_on,
        cast(changes.known_on as date) as known_on,
        cast(sum(changes.order_delta) as bigint) as order_delta,
        {{ as_money('sum(changes.net_sales_delta)') }} as net_sales_delta,
        {{ as_money('sum(changes.margin_delta)') }} as margin_delta
    from changes
    inner join as_of on changes.known_on <= as_of.as_of
    group by changes.customer_id, changes.ordered_on, changes.known_on, changes.net_sales_delta is null, changes.margin_delta is null
)

select * from final
