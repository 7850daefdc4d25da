-- One row per customer and day on which the set of their valid orders changes, once it has three gaps between its days: the median
-- of the gaps. Where orders only ever join at the end, one running median says it; the other days are few and looked at one by one.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
{%- set in_place = 'partition by customer_number order by ordered_on nulls last' %}
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

frequent as (
    select customer_number from orders group by customer_number having count(distinct ordered_on) >= 4
),

judged as (
    select orders.* from orders inner join frequent on orders.customer_number = frequent.customer_number
),

kept_days as (
    select
        customer_number,
        ordered_on,
        min(valid_from_on) as valid_from_on
    from judged
    where valid_to_on is null
    group by customer_number, ordered_on
),

spaced as (
    select
        customer_number,
        ordered_on,
        valid_from_on,
        row_number() over ({{ in_place }}) as place,
        {{ days_between('lag(ordered_on) over (' ~ in_place ~ ')', 'ordered_on') }} as gap_days
    from kept_days
),

running as (
    select
        customer_number,
        ordered_on,
        place,
        {{ running_median('gap_days', in_place) }} as median_days
    from spaced
),

turns as (
    select customer_number, valid_from_on as day_on from judged
    union
    select customer_number, valid_to_on as day_on from judged where valid_to_on is not null
),

entered as (
    select
        customer_number,
        valid_from_on as day_on,
        count(*) as day_count,
        max(ordered_on) as ordered_on
    from kept_days
    group by customer_number, valid_from_on
),

counted as (
    select
        turns.customer_number,
        turns.day_on,
        sum(entered.day_count) over (
            partition by turns.customer_number order by turns.day_on nulls last rows between unbounded preceding and current row
        ) as day_count,
        max(entered.ordered_on) over (
            partition by turns.customer_number order by turns.day_on nulls last rows between unbounded preceding and current row
        ) as last_order_on
    from turns
    left join entered on turns.customer_number = entered.customer_number and turns.day_on = entered.day_on
),

unsettled as (
    select distinct
        counted.customer_number,
        counted.day_on
    from counted
    inner join judged
        on
            counted.customer_number = judged.customer_number
            and counted.day_on >= judged.valid_from_on
            and counted.day_on < judged.valid_to_on
),

-- In order: no order is valid that will leave again, and none is missing before the last one.
looked_up as (
    select
        counted.customer_number,
        counted.day_on,
        unsettled.customer_number is null and (running.place is not null or counted.last_order_on is null) as is_plain,
        case when running.place >= 4 then running.median_days end as median_days
    from counted
    left join running
        on
            counted.customer_number = running.customer_number
            and counted.last_order_on = running.ordered_on
            and counted.day_count = running.place
    left join unsettled on counted.customer_number = unsettled.customer_number and counted.day_on = unsettled.day_on
),

valid_days as (
    select distinct
        looked_up.customer_number,
        looked_up.day_on,
        judged.ordered_on
    from looked_up
    inner join judged
        on
            looked_up.customer_number = judged.customer_number
            and looked_up.day_on >= judged.valid_from_on
            and looked_up.day_on < coalesce(judged.valid_to_on, cast('9999-12-31' as date))
    where not looked_up.is_plain
),

valid_gaps as (
    select
        customer_number,
        day_on,
        {{ days_between(
            'lag(ordered_on) over (partition by customer_number, day_on order by ordered_on nulls last)', 'ordered_on'
        ) }} as gap_days
    from valid_days
),

medians as (
    select customer_number, day_on, median_days from looked_up where is_plain and median_days is not null
    union all
    select customer_number, day_on, median(gap_days) as median_days
    from valid_gaps
    group by customer_number, day_on
    having count(gap_days) >= 3
),

final as (
    select
        customer_number,
        day_on,
        cast(median_days as decimal(9, 1)) as personal_gap_days
    from medians
)

select * from final
