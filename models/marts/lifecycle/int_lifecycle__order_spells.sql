-- One row per customer and day on which the set of their valid orders changes: how many are valid from that day on, the day of
-- the latest one, the service cycle of what it brought, and after how many days the next one is to be expected.
-- A refund or cancellation takes an order out from its own day, so what was true before stays.
{%- set so_far = 'over (partition by customer_number order by day_on nulls last rows between unbounded preceding and current row)' %}
with

orders as (
    select
        customers.customer_number,
        fct_order.order_key,
        fct_order.ordered_on,
        fct_order.valid_from_on,
        case when fct_order.valid_to_on <= as_of.as_of then fct_order.valid_to_on end as valid_to_on,
        row_number() over (
            partition by customers.customer_number order by fct_order.ordered_at nulls last, fct_order.order_key nulls last
        ) as place
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
        case when valid_to_on is null then place end as kept_place
    from orders
    union all
    select
        customer_number,
        valid_to_on as day_on,
        -1 as order_change,
        cast(null as bigint) as kept_place
    from orders
    where valid_to_on is not null
),

days as (
    select
        customer_number,
        day_on,
        sum(order_change) as order_change,
        max(kept_place) as kept_place
    from changes
    group by customer_number, day_on
),

running as (
    select
        customer_number,
        day_on,
        sum(order_change) {{ so_far }} as orders_n,
        max(kept_place) {{ so_far }} as kept_place
    from days
),

-- Orders that left again are few; only they need a look at every day on which they were valid.
passing as (
    select
        running.customer_number,
        running.day_on,
        max(orders.place) as passing_place
    from running
    inner join orders
        on
            running.customer_number = orders.customer_number
            and running.day_on >= orders.valid_from_on
            and running.day_on < orders.valid_to_on
    group by running.customer_number, running.day_on
),

latest as (
    select
        running.customer_number,
        running.day_on,
        running.orders_n,
        greatest(coalesce(running.kept_place, 0), coalesce(passing.passing_place, 0)) as place
    from running
    left join passing on running.customer_number = passing.customer_number and running.day_on = passing.day_on
),

final as (
    select
        latest.customer_number,
        latest.day_on,
        cast(latest.orders_n as bigint) as orders_n,
        orders.ordered_on as last_order_on,
        cycles.service_cycle_days,
        coalesce(gaps.personal_gap_days, cycles.category_gap_days) as expected_gap_days
    from latest
    left join orders on latest.customer_number = orders.customer_number and latest.place = orders.place
    left join {{ ref('int_lifecycle__order_cycles') }} as cycles on orders.order_key = cycles.order_key
    left join {{ ref('int_lifecycle__order_gaps') }} as gaps
        on latest.customer_number = gaps.customer_number and latest.day_on = gaps.day_on
)

select * from final
