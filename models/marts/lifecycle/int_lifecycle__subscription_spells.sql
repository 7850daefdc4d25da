-- One row per customer and day on which one of their subscriptions starts, begins to be paid or ends. Business types that
-- live on contracts read their clocks from here. A subscription is landed in its newest state only, so the end of its current
-- period is taken to have been known all along.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
{%- set so_far = in_order ~ ' rows between unbounded preceding and current row' %}
with

terms as (
    select
        subscription_key,
        customer_id,
        start_on,
        {{ local_day('current_period_end_at') }} as period_end_on,
        {{ local_day('trial_end_at') }} as trial_end_on,
        {{ local_day('ended_at') }} as ended_on,
        {{ local_day('cancelled_at') }} as cancelled_on,
        status not in ('active', 'past_due', 'cancelled', 'ended') as is_unpaid,
        ended_at is not null or status in ('cancelled', 'ended') as has_end
    from {{ ref('fct_subscription') }}
    where not is_test
),

subscriptions as (
    select
        customers.customer_number,
        terms.subscription_key,
        terms.start_on,
        terms.has_end,
        -- A contract without an end of its period never comes near it.
        coalesce(terms.period_end_on, date '2999-12-31') as period_end_on,
        case when not terms.is_unpaid then greatest(terms.start_on, terms.trial_end_on) end as paid_from_on,
        greatest(terms.start_on, coalesce(terms.ended_on, terms.period_end_on, terms.cancelled_on)) as end_on
    from terms
    inner join {{ ref('int_lifecycle__customers') }} as customers on terms.customer_id = customers.customer_id
),

changes as (
    select
        customer_number,
        start_on as day_on,
        1 as started,
        1 as live_change,
        0 as paid_change,
        subscription_key,
        period_end_on
    from subscriptions
    union all
    select
        customer_number,
        paid_from_on as day_on,
        0 as started,
        0 as live_change,
        1 as paid_change,
        cast(null as string) as subscription_key,
        cast(null as date) as period_end_on
    from subscriptions
    where not has_end or paid_from_on < end_on
    union all
    select
        customer_number,
        end_on as day_on,
        0 as started,
        -1 as live_change,
        case when paid_from_on < end_on then -1 else 0 end as paid_change,
        cast(null as string) as subscription_key,
        cast(null as date) as period_end_on
    from subscriptions
    where has_end
),

days as (
    select
        customer_number,
        day_on,
        sum(started) as started,
        sum(live_change) as live_change,
        sum(paid_change) as paid_change,
        max(case when live_change < 0 then day_on end) as ended_on,
        max_by(period_end_on, subscription_key) as period_end_on
    from changes
    where day_on is not null
    group by customer_number, day_on
),

running as (
    select
        customer_number,
        day_on,
        sum(started) over ({{ so_far }}) as subs_n,
        sum(live_change) over ({{ so_far }}) as live_n,
        sum(paid_change) over ({{ so_far }}) as paid_n,
        max(ended_on) over ({{ so_far }}) as ended_on,
        {{ last_known('period_end_on', in_order) }} as period_end_on,
        lag(day_on) over ({{ in_order }}) as last_day_on
    from days
),

-- Days paid so far, however many contracts ran side by side.
paid as (
    select
        running.*,
        sum(case when last_paid_n > 0 then {{ days_between('last_day_on', 'day_on') }} else 0 end) over ({{ so_far }}) as paid_days
    from (
        select
            running.*,
            lag(paid_n) over ({{ in_order }}) as last_paid_n
        from running
    ) as running
),

final as (
    select
        customer_number,
        day_on,
        cast(subs_n as bigint) as subs_n,
        case when live_n = 0 then ended_on end as sub_ended_on,
        period_end_on as sub_period_end_on,
        -- The day from which the paid days would count without a gap; only while something is being paid.
        case when paid_n > 0 then {{ days_later('day_on', '-paid_days') }} end as sub_paid_from_on,
        cast(paid_days as bigint) as sub_paid_days,
        paid_n > 0 as is_paying
    from paid
)

select * from final
