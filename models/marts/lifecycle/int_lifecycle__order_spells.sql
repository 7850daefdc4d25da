-- One row per customer and day on which the set of their valid orders changes: how many are valid from that day on, and
-- the day of the latest one. A refund or cancellation takes an order out from its own day, so what was true before stays.
{%- set so_far = 'over (partition by customer_number order by day_on nulls last rows between unbounded preceding and current row)' %}
with

orders as (
    select
        customers.customer_number,
        fct_order.ordered_on,
        fct_order.valid_from_on,
        case when fct_order.valid_to_on <= as_of.as_of then fct_order.valid_to_on end as valid_to_on
    from {{ ref('fct_order') }} as fct_order
    inner join {{ ref('int_lifecycle__customers') }} as customers on fct_order.customer_id = customers.customer_id
    cross join {{ ref('int_core__as_of') }} as as_of
    where fct_order.valid_from_on <= as_of.as_of
),

changes as (
    select
        customer_number,
        valid_from_on as day_on,
        1 as order_change,
        case when valid_to_on is null then ordered_on end as kept_order_on
    from orders
    union all
    select
        customer_number,
        valid_to_on as day_on,
        -1 as order_change,
        cast(null as date) as kept_order_on
    from orders
    where valid_to_on is not null
),

days as (
    select
        customer_number,
        day_on,
        sum(order_change) as order_change,
        max(kept_order_on) as kept_order_on
    from changes
    group by customer_number, day_on
),

running as (
    select
        customer_number,
        day_on,
        sum(order_change) {{ so_far }} as orders_n,
        max(kept_order_on) {{ so_far }} as kept_order_on
    from days
),

-- Orders that left again are few; only they need a look at every day on which they were valid.
passing as (
    select
        running.customer_number,
        running.day_on,
        max(orders.ordered_on) as passing_order_on
    from running
    inner join orders
        on
            running.customer_number = orders.customer_number
            and running.day_on >= orders.valid_from_on
            and running.day_on < orders.valid_to_on
    group by running.customer_number, running.day_on
),

final as (
    select
        running.customer_number,
        running.day_on,
        cast(running.orders_n as bigint) as orders_n,
        greatest(
            coalesce(running.kept_order_on, passing.passing_order_on),
            coalesce(passing.passing_order_on, running.kept_order_on)
        ) as last_order_on
    from running
    left join passing on running.customer_number = passing.customer_number and running.day_on = passing.day_on
)

select * from final
