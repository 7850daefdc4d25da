-- One row per way in (registration, first purchase), day of entry, business type and journey arm: who came back on the N-th day,
-- who was activated, who bought again within 30 days. Arm `all` is everybody; the others split the first buyers by what an automated
-- journey did on the day of the first order or the next, since whoever is asked later has had more time to buy again. What is not
-- over on as_of, or has no source yet, is NULL. Days without an entry have no row.
{%- set ages = [1, 7, 14, 30] %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

rules as (
    {{ activation_rule_rows() }}
),

entries as (
    select entries.*, coalesce(types.business_type, {{ setting_text('default_business_type') }}) as business_type
    from {{ ref('int_lifecycle__entries') }} as entries
    left join {{ ref('customer_lifecycle_intervals') }} as types
        on
            entries.customer_id = types.customer_id
            and types.model_code = 'value5'
            and entries.entry_on >= types.valid_from
            and entries.entry_on < coalesce(types.valid_to, cast('9999-12-31' as date))
),

actions as (
    select events.customer_id, events.event_name as action, events.event_on as day_on
    from {{ ref('fct_event') }} as events
    inner join as_of on events.event_on <= as_of.as_of
    where not events.is_bot and not events.is_test and events.event_name in (select event_name from rules)
    union all
    select customer_id, 'order' as action, ordered_on as day_on from {{ ref('fct_order') }}
    where is_valid
),

activated as (
    select distinct entries.customer_id
    from entries
    inner join rules on entries.business_type = rules.business_type
    inner join actions
        on
            entries.customer_id = actions.customer_id
            and rules.event_name = actions.action
            and actions.day_on >= entries.entry_on
            and actions.day_on <= {{ days_later('entries.entry_on', 'rules.days') }}
    where entries.entry_event = 'registration'
),

-- From which day on the action of a rule is recorded at all.
recorded as (
    select rules.business_type, rules.event_name, rules.days, min(actions.day_on) as from_on
    from rules
    inner join actions on rules.event_name = actions.action
    group by rules.business_type, rules.event_name, rules.days
),

touches as (
    select
        touches.customer_id,
        {{ local_day('coalesce(touches.trigger_at, touches.touched_at)') }} as day_on,
        case
            when touches.touch_kind = 'holdout' or lower(touches.variant) in ('holdout', 'control') then 'held_out'
            else 'in_journey'
        end as arm
    from {{ ref('fct_touch') }} as touches
    inner join as_of on touches.touched_on <= as_of.as_of
    where touches.is_automated and not touches.is_test and touches.touch_kind in ('sent', 'assigned', 'holdout')
),

-- Who is in both arms says nothing about either, and counts in `all` only.
journeys as (
    select entries.customer_id, case when min(touches.arm) = max(touches.arm) then min(touches.arm) else 'both' end as journey_arm
    from entries
    inner join touches
        on
            entries.customer_id = touches.customer_id
            and touches.day_on >= entries.entry_on
            and touches.day_on <= {{ days_later('entries.entry_on', 1) }}
    where entries.entry_event = 'first_purchase'
    group by entries.customer_id
),

known as (
    select
        (select min(event_on) from {{ ref('fct_event') }} where not is_bot and not is_test) as events_from,
        (select min(day_on) from {{ ref('fct_customer_day') }}) as activity_from,
        (select min(day_on) from touches) as journeys_from
),

cohorts as (
    select
        entries.entry_event, entries.entry_on, entries.business_type, arms.arm as journey_arm,
        count(*) as customer_count,
        {%- for age in ages %}
        sum(entries.is_active_d{{ age }}) as retained_d{{ age }}_count,
        {%- endfor %}
        count(activated.customer_id) as activated_count,
        sum(case when entries.second_order_days <= 30 then 1 else 0 end) as repurchased_count
    from entries
    cross join known
    left join activated on entries.customer_id = activated.customer_id
    left join journeys on entries.customer_id = journeys.customer_id
    inner join (values ('all'), ('in_journey'), ('held_out'), ('no_journey')) as arms (arm)
        on
            arms.arm = 'all'
            or (
                arms.arm = coalesce(journeys.journey_arm, 'no_journey')
                and entries.entry_event = 'first_purchase'
                and entries.entry_on >= known.journeys_from
            )
    group by entries.entry_event, entries.entry_on, entries.business_type, arms.arm
),

judged as (
    select
        cohorts.*,
        {%- for age in ages %}
        {{ days_later('cohorts.entry_on', age) }} between known.activity_from and as_of.as_of as is_d{{ age }}_over,
        {%- endfor %}
        not coalesce(cohorts.entry_on >= known.events_from, false) as is_activity_orders_only,
        recorded.event_name,
        recorded.days,
        coalesce(
            cohorts.entry_on >= recorded.from_on and {{ days_later('cohorts.entry_on', 'recorded.days') }} <= as_of.as_of, false
        ) as is_activation_over,
        cohorts.entry_event = 'first_purchase' and {{ days_later('cohorts.entry_on', 30) }} <= as_of.as_of as is_repurchase_over
    from cohorts
    cross join known
    cross join as_of
    left join recorded on cohorts.business_type = recorded.business_type and cohorts.entry_event = 'registration'
),

final as (
    select
        entry_event, entry_on as cohort_on, business_type, cast(journey_arm as string) as journey_arm,
        cast(customer_count as bigint) as customer_count,
        {%- for age in ages %}
        cast(case when is_d{{ age }}_over then retained_d{{ age }}_count end as bigint) as retained_d{{ age }}_count,
        case when is_d{{ age }}_over then {{ share('retained_d' ~ age ~ '_count', 'customer_count') }} end as retention_d{{ age }}_rate,
        {%- endfor %}
        is_activity_orders_only,
        cast(event_name as string) as activation_event,
        cast(days as bigint) as activation_days,
        cast(case when is_activation_over then activated_count end as bigint) as activated_count,
        case when is_activation_over then {{ share('activated_count', 'customer_count') }} end as activation_rate,
        cast(case when is_repurchase_over then repurchased_count end as bigint) as repurchased_30d_count,
        case when is_repurchase_over then {{ share('repurchased_count', 'customer_count') }} end as repurchase_rate_30d
    from judged
)

select * from final
