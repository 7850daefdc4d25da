-- One row per customer and day on which an event changes something that a lifecycle rule reads: an activity, or what
-- int_lifecycle__event_states tells. The values hold until the day before next_day_on. Days on which a 28-day window merely moves on
-- have a row only where some rule of the customer's business type reads the counts differently. On most active days time starts anew
-- and nothing else happens: may_change_stage is false there.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
{%- set so_far = in_order ~ ' rows between unbounded preceding and current row' %}
{%- set nothing = 'cast(null as date)' %}
{%- set counts = ['active_days_ever', 'active_days_28', 'active_days_prev28', 'active_days_ratio'] %}
with

event_states as (
    select * from {{ ref('int_lifecycle__event_states') }}
),

active_days as (
    select
        customers.customer_number,
        days.day_on
    from {{ ref('fct_customer_day') }} as days
    inner join {{ ref('int_lifecycle__customers') }} as customers on days.customer_id = customers.customer_id
    where days.is_active
),

changes as (
    select customer_number, day_on, day_on as entered_on, {{ nothing }} as aged_on, {{ nothing }} as gone_on, {{ nothing }} as told_on
    from active_days
    union all
    select
        customer_number, {{ days_later('day_on', 28) }} as day_on, {{ nothing }} as entered_on, day_on as aged_on, {{ nothing }} as gone_on,
        {{ nothing }} as told_on
    from active_days
    union all
    select
        customer_number, {{ days_later('day_on', 56) }} as day_on, {{ nothing }} as entered_on, {{ nothing }} as aged_on, day_on as gone_on,
        {{ nothing }} as told_on
    from active_days
    union all
    select customer_number, day_on, {{ nothing }} as entered_on, {{ nothing }} as aged_on, {{ nothing }} as gone_on, day_on as told_on
    from event_states
),

days as (
    select
        customer_number,
        day_on,
        max(entered_on) as entered_on,
        max(aged_on) as aged_on,
        max(gone_on) as gone_on,
        max(told_on) as told_on
    from changes
    where day_on <= (select as_of from {{ ref('int_core__as_of') }})
    group by customer_number, day_on
),

summed as (
    select
        days.*,
        {{ last_known('entered_on', in_order) }} as last_active_on,
        {{ last_known('told_on', in_order) }} as last_told_on,
        count(entered_on) over ({{ so_far }}) as entered_count,
        count(aged_on) over ({{ so_far }}) as aged_count,
        count(gone_on) over ({{ so_far }}) as gone_count
    from days
),

counted as (
    select
        summed.*,
        case when entered_on is null then 0 else 1 end as enters,
        case when aged_on is null then 0 else 1 end as ages,
        case when gone_on is null then 0 else 1 end as goes,
        entered_count as active_days_ever,
        entered_count - aged_count as active_days_28,
        aged_count - gone_count as active_days_prev28
    from summed
),

-- The counts of the row before differ by what this day brings, so that no second look at the rows in order is needed.
compared as (
    select
        counted.*,
        active_days_ever - enters as previous_active_days_ever,
        active_days_28 - enters + ages as previous_active_days_28,
        active_days_prev28 - ages + goes as previous_active_days_prev28
    from counted
),

signed as (
    select
        compared.customer_number,
        compared.day_on,
        compared.last_told_on,
        compared.active_days_ever,
        compared.active_days_28,
        compared.active_days_prev28,
        coalesce(compared.last_active_on, event_states.first_touch_on) as last_active_on,
        {{ lifecycle_earliest_age('last_active_days', 'event_states.business_type') }} as earliest_age,
        compared.entered_on is not null as is_active,
        compared.told_on is not null
        or {{ lifecycle_signature(counts, type_column='event_states.business_type') }}
        <> {{ lifecycle_signature(counts, type_column='event_states.business_type', prefix='previous_') }} as is_turn
    from compared
    inner join event_states on compared.customer_number = event_states.customer_number and compared.last_told_on = event_states.day_on
),

neighbours as (
    select
        signed.*,
        lag(last_active_on) over ({{ in_order }}) as previous_active_on,
        lead(day_on) over ({{ in_order }}) as next_day_on,
        lead(is_turn) over ({{ in_order }}) as next_is_turn
    from signed
    where is_active or is_turn
),

kept as (
    select
        neighbours.*,
        is_turn or {{ days_between('previous_active_on', 'day_on') }} >= earliest_age as may_change_stage,
        next_is_turn or {{ days_between('last_active_on', 'next_day_on') }} >= earliest_age as next_may_change_stage
    from neighbours
),

final as (
    select
        kept.customer_number,
        kept.day_on,
        kept.next_day_on,
        kept.may_change_stage,
        kept.next_may_change_stage,
        event_states.business_type,
        event_states.is_registered,
        event_states.orders_n,
        event_states.last_order_on,
        event_states.service_cycle_days,
        event_states.expected_gap_days,
        kept.last_active_on,
        cast(kept.active_days_ever as bigint) as active_days_ever,
        cast(kept.active_days_28 as bigint) as active_days_28,
        cast(kept.active_days_prev28 as bigint) as active_days_prev28,
        event_states.value_pct,
        event_states.subs_n,
        event_states.sub_ended_on,
        event_states.sub_period_end_on,
        event_states.sub_paid_from_on,
        event_states.sub_paid_days,
        event_states.is_paying,
        event_states.referrals_ok_365,
        event_states.ugc_365,
        event_states.last_nps
    from kept
    inner join event_states on kept.customer_number = event_states.customer_number and kept.last_told_on = event_states.day_on
)

select * from final
