-- One row per funnel, month of entry, channel and step of the seed funnel_step: who got so far, and how long it took.
-- A customer enters once a month, with the first time that he does the first step in it. Each further step is the first time
-- he does it after the step before, within its days of the entry: a step done earlier does not count, done again it counts
-- once, and whoever leaves one out has left. A step is NULL until its window has closed for the whole month. The channel is the
-- customer's first one; `all` is all of them.
{%- set depth = [funnel_depth() | int, 1] | max %}
{%- set step_order = 'partition by steps.funnel_code, entered.month_on, entered.channel_code order by steps.step_number asc nulls last' %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

steps as (
    select
        funnel_code, cast(step_number as bigint) as step_number, step_event, cast(window_days as bigint) as window_days, label_en, label_zh
    from {{ ref('funnel_step') }}
),

customers as (
    select customer_id, first_channel, registered_at, registered_on from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

-- The events of funnels, once each.
done as (
    select customer_id, event_name as step_event, event_at as done_at, event_on as done_on from {{ ref('fct_event') }}
    where not is_bot and not is_test and event_name in (select step_event from steps)
    union all
    select customer_id, 'order' as step_event, ordered_at as done_at, ordered_on as done_on from {{ ref('fct_order') }}
    where is_valid
    union all
    select customer_id, 'registration' as step_event, registered_at as done_at, registered_on as done_on from customers
    where registered_at is not null
),

actions as (
    select steps.funnel_code, steps.step_number, steps.window_days, done.*
    from done
    inner join as_of on done.done_on <= as_of.as_of
    inner join customers on done.customer_id = customers.customer_id
    inner join steps on done.step_event = steps.step_event
),

known as (
    select funnel_code, step_number, {{ month_of('min(done_on)') }} as known_from
    from actions
    group by funnel_code, step_number
),

reached_1 as (
    select
        funnel_code, customer_id, {{ month_of('done_on') }} as month_on, min(done_on) as entered_on, step_event,
        min(done_at) as done_at, cast(null as timestamp) as previous_at
    from actions
    where step_number = 1
    group by funnel_code, customer_id, {{ month_of('done_on') }}, step_event
),
{%- for step in range(2, depth + 1) %}

-- The first step {{ step }} at or after each customer's step {{ step - 1 }}, or after it where both are the same thing: one pass
-- over the sorted moments, latest first, since a join would pair everything that a customer ever did.
reached_{{ step }} as (
    select funnel_code, customer_id, month_on, entered_on, step_event, next_at as done_at, done_at as previous_at
    from (
        select
            *,
            min(action_at) over (
                partition by funnel_code, customer_id order by done_at desc nulls last, tie_order asc nulls last
                rows between unbounded preceding and current row
            ) as next_at
        from (
            select
                reached.funnel_code, reached.customer_id, reached.month_on, reached.entered_on, reached.done_at,
                steps.step_event, steps.window_days, cast(null as timestamp) as action_at,
                case when reached.step_event = steps.step_event then 0 else 2 end as tie_order
            from reached_{{ step - 1 }} as reached
            inner join steps on reached.funnel_code = steps.funnel_code and steps.step_number = {{ step }}
            union all
            select
                funnel_code, customer_id, cast(null as date) as month_on, cast(null as date) as entered_on, done_at, step_event,
                window_days, done_at as action_at, 1 as tie_order
            from actions
            where step_number = {{ step }}
        ) as moments
    ) as followed
    where month_on is not null and {{ days_between('entered_on', local_day('next_at')) }} <= window_days
),
{%- endfor %}

reached as (
    {%- for step in range(1, depth + 1) %}
    select funnel_code, customer_id, month_on, {{ step }} as step_number, {{ seconds_between('previous_at', 'done_at') }} as seconds
    from reached_{{ step }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

totals as (
    {%- for channel in ['customers.first_channel', "'all'"] %}
    select
        reached.funnel_code,
        reached.month_on,
        {{ channel }} as channel_code,
        reached.step_number,
        count(*) as customer_count,
        median(cast(reached.seconds as double)) as median_seconds
    from reached
    inner join customers on reached.customer_id = customers.customer_id
    group by reached.funnel_code, reached.month_on, reached.step_number{{ ', customers.first_channel' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counted as (
    select
        entered.month_on,
        entered.channel_code,
        entered.customer_count as entered_count,
        steps.*,
        {{ days_later('last_day(entered.month_on)', 'steps.window_days') }} <= as_of.as_of as is_complete,
        -- A step that nobody can have been seen to take is not 0, nor is any after it.
        max(coalesce(known.known_from, cast('9999-12-01' as date))) over ({{ step_order }}) <= entered.month_on as is_known,
        coalesce(totals.customer_count, 0) as customer_count,
        lag(coalesce(totals.customer_count, 0)) over ({{ step_order }}) as previous_count,
        totals.median_seconds
    from totals as entered
    inner join steps on entered.funnel_code = steps.funnel_code
    cross join as_of
    left join known on steps.funnel_code = known.funnel_code and steps.step_number = known.step_number
    left join totals
        on
            steps.funnel_code = totals.funnel_code
            and entered.month_on = totals.month_on
            and entered.channel_code = totals.channel_code
            and steps.step_number = totals.step_number
    where entered.step_number = 1
),

final as (
    select
        cast(steps.funnel_code as string) as funnel_code,
        steps.month_on,
        cast(steps.channel_code as string) as channel_code,
        steps.step_number,
        cast(steps.step_event as string) as step_event,
        steps.window_days,
        cast(steps.label_en as string) as label_en,
        cast(steps.label_zh as string) as label_zh,
        steps.is_complete,
        cast(case when steps.is_complete and steps.is_known then steps.customer_count end as bigint) as customer_count,
        case
            when steps.is_complete and steps.is_known and steps.step_number > 1
                then {{ share('steps.customer_count', 'steps.previous_count') }}
        end as step_rate,
        case when steps.is_complete and steps.is_known then {{ share('steps.customer_count', 'steps.entered_count') }} end as overall_rate,
        cast(case when steps.is_complete and steps.is_known then steps.median_seconds / 3600.0 end as decimal(18, 6)) as median_hours
    from counted as steps
)

select * from final
