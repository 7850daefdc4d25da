-- One row per customer, alert and day on which it opens. What is counted is the silence since the last valid order (for some
-- business types the last active day, or the way to the end of the contract): each silence opens an alert once, and only the next
-- order ends it. An order that was given back leaves the older silence behind, so it may open an alert but ends none.
{%- set of_silence = 'partition by customer_number, alert_code order by silence_number nulls last' %}
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
        {{ days_later('counted_from_on', "case when feature = 'sub_days_to_end' then -threshold_days else threshold_days end") }} as due_on,
        {{ days_later(
            'counted_from_on', "ceil(ratio * threshold_days) - case when feature = 'sub_days_to_end' then 2 * threshold_days else 0 end"
        ) }} as alert_on
    from clocks
),

compared as (
    select
        dated.*,
        lag(counted_from_on) over ({{ in_order }}) as previous_from_on,
        lag(due_on) over ({{ in_order }}) as previous_due_on,
        lag(business_type) over ({{ in_order }}) as previous_business_type
    from dated
),

-- Of the many days with events few move the day that is counted from. A silence ends when it moves on; where it moves back, an
-- order was given back, which ends nothing.
numbered as (
    select
        compared.*,
        lead(day_on) over ({{ in_order }}) as next_day_on,
        sum(case when counted_from_on > previous_from_on or (counted_from_on is null) <> (previous_from_on is null) then 1 else 0 end)
            over ({{ in_order }} rows between unbounded preceding and current row) as silence_number
    from compared
    where
        counted_from_on is distinct from previous_from_on or due_on is distinct from previous_due_on
        or business_type is distinct from previous_business_type
),

told as (
    select
        numbered.*,
        case
            when alert_on <= day_on then day_on
            when alert_on <= as_of.as_of and (next_day_on is null or alert_on < next_day_on) then alert_on
        end as opens_on,
        case
            when feature = 'last_active_days' then 'no_activity'
            when feature = 'sub_days_to_end' then 'contract_ends'
            when counted_from_on < previous_from_on and alert_on <= day_on then 'order_taken_back'
            else 'no_order'
        end as reason_code,
        case
            when counted_from_on is null then 'order_taken_back'
            when feature = 'last_active_days' then 'active_again'
            when feature = 'sub_days_to_end' then 'contract_renewed'
            else 'ordered'
        end as closes_by_code
    from numbered
    cross join as_of
),

silences as (
    select
        customer_number,
        alert_code,
        min(opens_on) as opened_on,
        lead(min(day_on)) over ({{ of_silence }}) as closed_on,
        lead(min_by(closes_by_code, day_on)) over ({{ of_silence }}) as closed_reason_code,
        min_by(business_type, opens_on) as business_type,
        min_by(severity, opens_on) as severity,
        min_by(reason_code, opens_on) as reason_code,
        min_by(counted_from_on, opens_on) as counted_from_on,
        max_by(due_on, day_on) as due_on
    from told
    group by customer_number, alert_code, silence_number
),

reported as (
    select
        customers.customer_id, silences.alert_code, silences.opened_on, silences.closed_on, silences.business_type, silences.severity,
        silences.reason_code, silences.closed_reason_code, silences.counted_from_on, silences.due_on
    from silences
    inner join customers on silences.customer_number = customers.customer_number
    where silences.opened_on is not null
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
        {{ until_left('reported.closed_on') }} as closed_on,
        coalesce(reported.closed_on, customers.left_on) is null as is_open,
        reported.business_type, reported.severity, reported.reason_code,
        case
            when customers.left_on < coalesce(reported.closed_on, cast('9999-12-31' as date)) then 'erased'
            else reported.closed_reason_code
        end as closed_reason_code,
        reported.counted_from_on,
        case
            when coalesce(reported.closed_on, customers.left_on) is null
                then cast({{ days_between('as_of.as_of', 'reported.due_on') }} as bigint)
        end as days_to_threshold
    from reported
    inner join {{ ref('int_lifecycle__customers') }} as customers on reported.customer_id = customers.customer_id
    cross join as_of
    where customers.left_on is null or reported.opened_on < customers.left_on
)

select * from final
