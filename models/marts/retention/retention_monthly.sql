-- One row per month, measure and arm (everybody, or those who were contacted or held out): how many of those who were about to
-- leave, or are dear, stayed. Everybody is looked at from a local day on; who was contacted, from that moment on and only while
-- they were silent: nobody is recalled who had come back by themselves. Open windows and sources that are not landed give NULL.
{%- set window_days = setting('retention_window_days') | int %}
{%- set of_customer = 'partition by subjects.measure_code, subjects.month_on, subjects.customer_id' %}
with

as_of as (
    select as_of, {{ days_later('as_of', 1) }} as next_on from {{ ref('int_core__as_of') }}
),

measures as (
    select measure_code, arm_code
    from (values ('recall_dormant'), ('recall_sleeping'), ('save'), ('high_value')) as measures (measure_code)
    cross join (values ('all'), ('sent'), ('assigned'), ('holdout')) as arms (arm_code)
    where measure_code <> 'high_value' or arm_code = 'all'
),

-- The days on which a measure asks about a customer.
spells as (
    select measures.measure_code, intervals.customer_id, intervals.valid_from, coalesce(intervals.valid_to, as_of.next_on) as valid_to
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    inner join {{ ref('dim_customer') }} as customers on intervals.customer_id = customers.customer_id
    cross join as_of
    inner join measures
        on measures.measure_code in (
            case when intervals.is_dormant then 'recall_dormant' end,
            case intervals.stage_code when 'sleeping' then 'recall_sleeping' when 'high_value' then 'high_value' end
        )
    where intervals.model_code = 'value5' and measures.arm_code = 'all' and not customers.is_anonymous
    union all
    select
        'save' as measure_code, alerts.customer_id, alerts.opened_on as valid_from,
        least(coalesce(alerts.closed_on, as_of.next_on), {{ days_later('alerts.opened_on', window_days) }}) as valid_to
    from {{ ref('customer_alert') }} as alerts
    cross join as_of
    where alerts.alert_code = 'churn_warning'
),

months as (
    select calendar.month_on, last_day(calendar.month_on) as month_end_on, as_of.as_of
    from {{ ref('dim_date') }} as calendar
    cross join as_of
    where
        calendar.date_on = calendar.month_on
        and calendar.month_on between (select {{ month_of('min(valid_from)') }} from spells) and as_of.as_of
),

subjects as (
    select
        spells.measure_code, months.month_on, spells.customer_id, 'all' as arm_code, months.month_on as from_on,
        case when spells.measure_code = 'high_value' then months.month_end_on else {{ days_later('months.month_on', window_days) }} end
            as until_on,
        cast(null as timestamp) as after_at
    from months
    inner join spells on months.month_on >= spells.valid_from and months.month_on < spells.valid_to
    where spells.measure_code <> 'save'
    union all
    select
        measure_code, {{ month_of('valid_from') }} as month_on, customer_id, 'all' as arm_code, min(valid_from) as from_on,
        {{ days_later('min(valid_from)', window_days) }} as until_on, cast(null as timestamp) as after_at
    from spells
    where measure_code = 'save'
    group by measure_code, {{ month_of('valid_from') }}, customer_id
    union all
    select
        spells.measure_code, {{ month_of('touches.touched_on') }} as month_on, spells.customer_id, touches.touch_kind as arm_code,
        min(touches.touched_on) as from_on, {{ days_later('min(touches.touched_on)', window_days + 1) }} as until_on,
        min(touches.touched_at) as after_at
    from {{ ref('fct_touch') }} as touches
    cross join as_of
    inner join spells on touches.customer_id = spells.customer_id and touches.touched_on between spells.valid_from and spells.valid_to
    where
        touches.touched_on <= as_of.as_of and not touches.is_test and spells.measure_code <> 'high_value'
        and (touches.touch_kind = 'sent' or (touches.touch_kind in ('assigned', 'holdout') and touches.experiment_ref is not null))
    group by spells.measure_code, {{ month_of('touches.touched_on') }}, spells.customer_id, touches.touch_kind
),

month_ends as (
    select
        months.month_on, spells.customer_id,
        max(case when spells.measure_code = 'recall_sleeping' then 1 else 0 end) = 1 as is_asleep,
        max(case when spells.measure_code = 'high_value' then 1 else 0 end) = 1 as is_high_value
    from months
    inner join spells on months.month_end_on >= spells.valid_from and months.month_end_on < spells.valid_to
    group by months.month_on, spells.customer_id
),

outcomes as (
    select
        subjects.measure_code, subjects.month_on, subjects.customer_id, subjects.arm_code, month_ends.is_high_value,
        max(case
            when subjects.measure_code = 'high_value' and not coalesce(month_ends.is_asleep, false) then 1
            when orders.ordered_on not between subjects.from_on and subjects.until_on then 0
            when orders.ordered_at <= subjects.after_at then 0
            when orders.ordered_at > {{ seconds_later('subjects.after_at', window_days * 86400) }} then 0
            when orders.order_key is not null then 1
        end) = 1 as is_retained,
        sum(case when subjects.arm_code in ('assigned', 'holdout') then 1 else 0 end) over ({{ of_customer }}) as arm_count
    from subjects
    left join {{ ref('fct_order') }} as orders on subjects.customer_id = orders.customer_id and orders.is_valid
    left join month_ends on subjects.month_on = month_ends.month_on and subjects.customer_id = month_ends.customer_id
    group by subjects.measure_code, subjects.month_on, subjects.customer_id, subjects.arm_code, month_ends.is_high_value
),

-- Who is in both arms of a month says nothing about either.
counted as (
    select
        measure_code, month_on, arm_code,
        count(*) as customer_count,
        sum(case when is_retained then 1 else 0 end) as retained_count,
        sum(case when is_retained and not coalesce(is_high_value, false) then 1 else 0 end) as left_tier_count
    from outcomes
    where arm_code in ('all', 'sent') or arm_count = 1
    group by measure_code, month_on, arm_code
),

sources as (
    select 'all' as arm_code, min(ordered_on) as first_on from {{ ref('fct_order') }}
    union all
    select touch_kind as arm_code, min(touched_on) as first_on from {{ ref('fct_touch') }} group by touch_kind
),

filled as (
    select
        months.month_on, measures.measure_code, measures.arm_code,
        case
            when measures.measure_code = 'high_value' then months.month_end_on
            when measures.measure_code = 'save' or measures.arm_code <> 'all' then {{ days_later('months.month_end_on', window_days) }}
            else {{ days_later('months.month_on', window_days) }}
        end <= months.as_of as is_complete,
        case when sources.first_on <= months.month_end_on then coalesce(counted.customer_count, 0) end as customer_count,
        coalesce(counted.retained_count, 0) as retained_count,
        case when measures.measure_code = 'high_value' then coalesce(counted.left_tier_count, 0) end as left_tier_count
    from months
    cross join measures
    left join sources on measures.arm_code = sources.arm_code
    left join counted
        on
            months.month_on = counted.month_on
            and measures.measure_code = counted.measure_code
            and measures.arm_code = counted.arm_code
),

final as (
    select
        month_on, measure_code, arm_code,
        cast({{ window_days }} as bigint) as window_days,
        is_complete, cast(customer_count as bigint) as customer_count,
        cast(case when is_complete and customer_count is not null then retained_count end as bigint) as retained_count,
        case when is_complete then {{ share('retained_count', 'customer_count') }} end as retained_rate,
        cast(
            case when is_complete and arm_code = 'assigned' then {{ share('retained_count', 'customer_count') }} end
            - max(case when arm_code = 'holdout' then {{ share('retained_count', 'customer_count') }} end)
                over (partition by month_on, measure_code)
            as decimal(18, 6)
        ) as holdout_difference_rate,
        cast(case when is_complete and customer_count is not null then left_tier_count end as bigint) as left_tier_count
    from filled
)

select * from final
