-- One row per customer and month end from which some rule reads their place among all buyers, by lifetime net sales,
-- differently. The place is frozen between month ends, so that nobody moves daily only because others bought; it is NULL
-- from a month end at which the customer had no valid order.
{%- set in_order = 'partition by customer_number order by scored_on nulls last' %}
with

customers as (
    select * from {{ ref('int_lifecycle__customers') }}
),

orders as (
    select
        customers.customer_number,
        fct_order.order_key,
        fct_order.valid_from_on,
        fct_order.valid_to_on,
        fct_order.paid_amount
    from {{ ref('fct_order') }} as fct_order
    inner join customers on fct_order.customer_id = customers.customer_id
    where fct_order.valid_from_on is not null
),

refunds as (
    select
        order_key,
        customer_id,
        refunded_on,
        coalesce(refund_amount, 0) as refund_amount
    from {{ ref('fct_refund') }}
    where is_completed and not is_test
),

-- A refund counts from its own day, but not before its order does; once the order has left, both are gone. An order without an
-- exchange rate brings no money, so its refunds take none away.
order_refunds as (
    select
        orders.customer_number,
        orders.valid_to_on,
        greatest(refunds.refunded_on, orders.valid_from_on) as day_on,
        refunds.refund_amount
    from refunds
    inner join orders on refunds.order_key = orders.order_key
    where
        orders.paid_amount is not null
        and (orders.valid_to_on is null or greatest(refunds.refunded_on, orders.valid_from_on) < orders.valid_to_on)
),

changes as (
    select customer_number, valid_from_on as day_on, 1 as order_change, coalesce(paid_amount, 0) as net_change from orders
    union all
    select customer_number, valid_to_on as day_on, -1 as order_change, -coalesce(paid_amount, 0) as net_change from orders
    union all
    select customer_number, day_on, 0 as order_change, -refund_amount as net_change from order_refunds
    union all
    select customer_number, valid_to_on as day_on, 0 as order_change, refund_amount as net_change from order_refunds
    union all
    select customers.customer_number, refunds.refunded_on as day_on, 0 as order_change, -refunds.refund_amount as net_change
    from refunds
    inner join customers on refunds.customer_id = customers.customer_id
    where refunds.order_key is null
),

months as (
    select
        changes.customer_number,
        last_day(changes.day_on) as scored_on,
        sum(changes.order_change) as order_change,
        sum(changes.net_change) as net_change
    from changes
    cross join {{ ref('int_core__as_of') }} as as_of
    where last_day(changes.day_on) <= as_of.as_of
    group by changes.customer_number, last_day(changes.day_on)
),

spells as (
    select
        customer_number,
        scored_on,
        sum(order_change) over ({{ in_order }} rows between unbounded preceding and current row) as orders_n,
        sum(net_change) over ({{ in_order }} rows between unbounded preceding and current row) as net_amount,
        lead(scored_on) over ({{ in_order }}) as next_scored_on
    from months
),

scored as (
    select
        spells.customer_number,
        month_ends.date_on as scored_on,
        case
            when spells.orders_n >= 1 then percent_rank() over (
                partition by month_ends.date_on, spells.orders_n >= 1 order by spells.net_amount nulls first
            )
        end as value_pct
    from spells
    cross join {{ ref('int_core__as_of') }} as as_of
    inner join {{ ref('dim_date') }} as month_ends
        on
            spells.scored_on <= month_ends.date_on
            and month_ends.date_on < coalesce(spells.next_scored_on, {{ days_later('as_of.as_of', 1) }})
    where month_ends.is_month_end
),

signed as (
    select
        scored.*,
        {{ lifecycle_signature(['value_pct']) }} as signature
    from scored
),

compared as (
    select
        signed.*,
        lag(signature) over ({{ in_order }}) as previous_signature
    from signed
),

final as (
    select
        customer_number,
        scored_on,
        cast(value_pct as double) as value_pct
    from compared
    where signature <> coalesce(previous_signature, 0)
)

select * from final
