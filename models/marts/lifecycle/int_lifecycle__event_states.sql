-- One row per customer and day on which something other than activity changes what a lifecycle rule reads: an order, a
-- registration, a month-end score, a subscription, a friend won, an opinion. The values hold until the customer's next row.
{%- set so_far = 'partition by customer_number order by day_on nulls last rows between unbounded preceding and current row' %}
with

customers as (
    select * from {{ ref('int_lifecycle__customers') }}
),

order_spells as (
    select * from {{ ref('int_lifecycle__order_spells') }}
),

value_scores as (
    select * from {{ ref('int_lifecycle__value_scores') }}
),

subscription_spells as (
    select * from {{ ref('int_lifecycle__subscription_spells') }}
),

advocacy_spells as (
    select * from {{ ref('int_lifecycle__advocacy_spells') }}
),

business_types as (
    select * from {{ ref('int_lifecycle__business_types') }}
),

told as (
    select customer_number, first_touch_on as day_on, 'start' as told_by from customers
    union all
    select customer_number, registered_on as day_on, 'registration' as told_by from customers where registered_on is not null
    union all
    select customer_number, day_on, 'order' as told_by from order_spells
    union all
    select customer_number, scored_on as day_on, 'score' as told_by from value_scores
    union all
    select customer_number, day_on, 'subscription' as told_by from subscription_spells
    union all
    select customer_number, day_on, 'advocacy' as told_by from advocacy_spells
    union all
    select customer_number, day_on, 'type' as told_by from business_types
),

days as (
    select
        customer_number,
        day_on,
        max(case when told_by = 'order' then day_on end) as order_on,
        max(case when told_by = 'score' then day_on end) as score_on,
        max(case when told_by = 'subscription' then day_on end) as subscription_on,
        max(case when told_by = 'advocacy' then day_on end) as advocacy_on,
        max(case when told_by = 'type' then day_on end) as type_on
    from told
    group by customer_number, day_on
),

-- Each kind of event says what holds until it speaks again, so the day on which it last spoke is all that is carried on.
carried as (
    select
        customer_number,
        day_on,
        max(order_on) over ({{ so_far }}) as order_on,
        max(score_on) over ({{ so_far }}) as score_on,
        max(subscription_on) over ({{ so_far }}) as subscription_on,
        max(advocacy_on) over ({{ so_far }}) as advocacy_on,
        max(type_on) over ({{ so_far }}) as type_on
    from days
),

final as (
    select
        carried.customer_number,
        carried.day_on,
        coalesce(business_types.business_type, customers.business_type) as business_type,
        coalesce(customers.registered_on <= carried.day_on, false) as is_registered,
        coalesce(order_spells.orders_n, 0) as orders_n,
        order_spells.last_order_on,
        order_spells.service_cycle_days,
        order_spells.expected_gap_days,
        customers.first_touch_on,
        value_scores.value_pct,
        coalesce(subscription_spells.subs_n, 0) as subs_n,
        subscription_spells.sub_ended_on,
        subscription_spells.sub_period_end_on,
        subscription_spells.sub_paid_from_on,
        coalesce(subscription_spells.sub_paid_days, 0) as sub_paid_days,
        coalesce(subscription_spells.is_paying, false) as is_paying,
        coalesce(advocacy_spells.referrals_ok_365, 0) as referrals_ok_365,
        coalesce(advocacy_spells.ugc_365, 0) as ugc_365,
        advocacy_spells.last_nps
    from carried
    inner join customers on carried.customer_number = customers.customer_number
    cross join {{ ref('int_core__as_of') }} as as_of
    left join order_spells on carried.customer_number = order_spells.customer_number and carried.order_on = order_spells.day_on
    left join value_scores on carried.customer_number = value_scores.customer_number and carried.score_on = value_scores.scored_on
    left join subscription_spells
        on carried.customer_number = subscription_spells.customer_number and carried.subscription_on = subscription_spells.day_on
    left join advocacy_spells
        on carried.customer_number = advocacy_spells.customer_number and carried.advocacy_on = advocacy_spells.day_on
    left join business_types on carried.customer_number = business_types.customer_number and carried.type_on = business_types.day_on
    where carried.day_on between customers.first_touch_on and as_of.as_of
)

select * from final
