-- One row per customer and day on which they were active, or on which days that leave a 28-day window make some rule read
-- the counts differently; the many other days on which a window merely moves on change no stage and are left out.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
with

active_days as (
    select
        customers.customer_number,
        days.day_on
    from {{ ref('fct_customer_day') }} as days
    inner join {{ ref('int_lifecycle__customers') }} as customers on days.customer_id = customers.customer_id
    where days.is_active
),

changes as (
    select customer_number, day_on, 1 as entered, 0 as aged, 0 as gone from active_days
    union all
    select customer_number, {{ days_later('day_on', 28) }} as day_on, 0 as entered, 1 as aged, 0 as gone from active_days
    union all
    select customer_number, {{ days_later('day_on', 56) }} as day_on, 0 as entered, 0 as aged, 1 as gone from active_days
),

days as (
    select
        changes.customer_number,
        changes.day_on,
        max(changes.entered) as entered,
        max(changes.aged) as aged,
        max(changes.gone) as gone
    from changes
    cross join {{ ref('int_core__as_of') }} as as_of
    where changes.day_on <= as_of.as_of
    group by changes.customer_number, changes.day_on
),

counted as (
    select
        customer_number,
        day_on,
        entered = 1 as is_active,
        max(case when entered = 1 then day_on end) over ({{ in_order }} rows between unbounded preceding and current row) as last_active_on,
        sum(entered) over ({{ in_order }} rows between unbounded preceding and current row) as active_days_ever,
        sum(entered - aged) over ({{ in_order }} rows between unbounded preceding and current row) as active_days_28,
        sum(aged - gone) over ({{ in_order }} rows between unbounded preceding and current row) as active_days_prev28
    from days
),

signed as (
    select
        counted.*,
        {{ lifecycle_signature(['active_days_ever', 'active_days_28', 'active_days_prev28', 'active_days_ratio']) }} as signature
    from counted
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
        day_on,
        last_active_on,
        cast(active_days_ever as bigint) as active_days_ever,
        cast(active_days_28 as bigint) as active_days_28,
        cast(active_days_prev28 as bigint) as active_days_prev28
    from compared
    where is_active or signature <> previous_signature
)

select * from final
