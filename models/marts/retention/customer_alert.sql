-- One row per customer, alert and day on which it opens. What is counted is the silence since the last valid order (for some
-- business types the last active day, or the way to the end of the contract): each silence opens an alert once, and only the next
-- order ends it. An order that was given back leaves the older silence behind, so it may open an alert but ends none.
{%- set in_order = 'partition by customer_number, alert_code order by day_on nulls last' %}
with

rules as (
    {{ alert_rule_rows() }}
),

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select
        customers.customer_number,
        customers.customer_id
    from {{ ref('int_lifecycle__customers') }} as customers
    inner join {{ ref('dim_customer') }} as known on customers.customer_id = known.customer_id
    where not known.is_anonymous
),

clocks as (
    select
        states.customer_number,
        rules.alert_code,
        states.day_on,
        states.next_day_on,
        states.business_type,
        rules.severity,
        rules.ratio,
        case when rules.feature = 'sub_days_to_end' and states.subs_n = 0 then 'last_order_days' else rules.feature end as feature,
        case
            when rules.feature = 'last_active_days' then states.last_active_on
            when rules.feature = 'sub_days_to_end' and states.subs_n > 0 then states.sub_period_end_on
            else states.last_order_on
        end as counted_from_on,
        coalesce(ceil(rules.cycle_ratio * states.service_cycle_days), rules.threshold_value) as threshold_days
    from {{ ref('int_lifecycle__states') }} as states
    inner join rules on states.business_type = rules.business_type
),

dated as (
    select
        clocks.*,
        lag(counted_from_on) over ({{ in_order }}) as previous_from_on,
        {{ days_later('counted_from_on', "case when feature = 'sub_days_to_end' then -threshold_days else threshold_days end") }} as due_on,
        {{ days_later(
            'counted_from_on', "ceil(ratio * threshold_days) - case when feature = 'sub_days_to_end' then 2 * threshold_days else 0 end"
        ) }} as alert_on
    from clocks
),

-- A silence ends when the day that it is counted from moves on; a day that moves back was given back and ends nothing.
numbered as (
    select
        dated.*,
        sum(case when counted_from_on > previous_from_on or (counted_from_on is null) <> (previous_from_on is null) then 1 else 0 end)
            over ({{ in_order }} rows between unbounded preceding and current row) as silence_number,
        case
            when alert_on <= day_on then day_on
            when alert_on <= as_of.as_of and (next_day_on is null or alert_on < next_day_on) then alert_on
        end as opens_on
    from dated
    cross join as_of
),

silences as (
    select
        customer_number,
        alert_code,
        silence_number,
        min(day_on) as begins_on,
        min(opens_on) as opened_on,
        max_by(due_on, day_on) as due_on
    from numbered
    group by customer_number, alert_code, silence_number
),

ended as (
    select
        silences.*,
        lead(begins_on) over (partition by customer_number, alert_code order by silence_number nulls last) as closed_on
    from silences
),

reported as (
    select
        customers.customer_id,
        ended.alert_code,
        ended.opened_on,
        ended.closed_on,
        opening.business_type,
        opening.severity,
        case
            when opening.feature = 'last_active_days' then 'no_activity'
            when opening.feature = 'sub_days_to_end' then 'contract_ends'
            when opening.counted_from_on < opening.previous_from_on and opening.day_on = opening.opens_on then 'order_taken_back'
            else 'no_order'
        end as reason_code,
        case
            when ended.closed_on is null then null
            when closing.counted_from_on is null then 'order_taken_back'
            when closing.feature = 'last_active_days' then 'active_again'
            when closing.feature = 'sub_days_to_end' then 'contract_renewed'
            else 'ordered'
        end as closed_reason_code,
        opening.counted_from_on,
        ended.due_on
    from ended
    inner join customers on ended.customer_number = customers.customer_number
    inner join numbered as opening
        on
            ended.customer_number = opening.customer_number
            and ended.alert_code = opening.alert_code
            and ended.opened_on = opening.opens_on
    left join numbered as closing
        on
            ended.customer_number = closing.customer_number
            and ended.alert_code = closing.alert_code
            and ended.closed_on = closing.day_on
    union all
    select
        customer_id,
        alert_code,
        opened_on,
        recovered_on as closed_on,
        business_type,
        severity,
        'activity_fell' as reason_code,
        case when recovered_on is not null then 'recovered' end as closed_reason_code,
        cast(null as date) as counted_from_on,
        cast(null as date) as due_on
    from {{ ref('int_retention__activity_drops') }}
),

final as (
    select
        reported.customer_id,
        reported.alert_code,
        reported.opened_on,
        reported.closed_on,
        reported.closed_on is null as is_open,
        reported.business_type,
        reported.severity,
        reported.reason_code,
        reported.closed_reason_code,
        reported.counted_from_on,
        case when reported.closed_on is null then cast({{ days_between('as_of.as_of', 'reported.due_on') }} as bigint) end
            as days_to_threshold
    from reported
    cross join as_of
)

select * from final
