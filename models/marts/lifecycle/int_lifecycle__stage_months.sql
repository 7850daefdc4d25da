-- One row per model, stage and month from the first customer to as_of, with everything that the scorecard divides. A count whose
-- source had delivered nothing by the month is NULL, never 0. Advertising reaches people who are not known yet, so it stands
-- with the stage in which everybody begins.
{%- set counts = {
    'order': ['order_count', 'rated_order_count', 'net_sales_amount', 'buyer_count', 'month_buyer_count', 'month_repeat_buyer_count',
        'buyer_net_sales_amount', 'first_buyer_count', 'repurchased_30d_count', 'repurchased_90d_count', 'year_order_count',
        'year_buyer_count', 'lifespan_days', 'lifespan_customer_count'],
    'event': ['view_count', 'share_count', 'lead_count', 'session_count', 'session_seconds', 'active_day_count', 'week_active_count',
        'month_active_count'],
    'registration': ['registration_count', 'registrant_count', 'convertible_count', 'converted_1d_count', 'converted_7d_count',
        'converted_30d_count', 'converted_90d_count'],
    'day': ['active_customer_count', 'retained_d1_count', 'retained_d7_count', 'retained_d30_count'],
    'referral': ['referrer_count', 'joined_count'],
    'nps': ['nps_answer_count', 'nps_points'],
    'csat': ['csat_answer_count', 'csat_satisfied_count'],
    'ugc': ['ugc_post_count', 'ugc_contributor_count'],
} %}
{%- set feedback = ref('fct_feedback') ~ ' where not is_test and feedback_kind ' %}
{%- set starts = {
    'order': ['ordered_on', ref('fct_order')],
    'event': ['event_on', ref('fct_event')],
    'registration': ['registered_on', ref('dim_customer')],
    'day': ['day_on', ref('fct_customer_day')],
    'referral': ['coalesce(invited_on, registered_on)', ref('fct_referral')],
    'nps': ['feedback_on', feedback ~ "= 'nps'"],
    'csat': ['feedback_on', feedback ~ "= 'csat'"],
    'ugc': ['feedback_on', feedback ~ "in ('ugc', 'review')"],
} %}
{%- set running = {'week_active_count': 'week_active_change', 'year_order_count': 'year_order_change',
    'year_buyer_count': 'year_buyer_change', 'lifespan_days': 'lifespan_change', 'lifespan_customer_count': 'lifespan_customer_change'} %}
{%- set months_so_far = so_far('months.model_code, months.stage_code', 'months.month_on') %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

counts as (
    select * from {{ ref('lifecycle_stage_monthly') }}
),

-- The state at the end of a month is the state in which the next one begins.
months as (
    select
        model_code,
        stage_code,
        is_inactive,
        {{ month_of('as_of') }} as month_on,
        as_of as measured_on,
        is_month_end as is_complete,
        customer_count,
        coalesce(lag(customer_count) over (partition by model_code, stage_code order by as_of nulls last), 0) as starting_count
    from counts
),

kept as (
    select
        months.model_code,
        months.stage_code,
        months.month_on,
        sum(stage_days.customer_change) as starting_kept_count
    from months
    inner join {{ ref('int_lifecycle__stage_days') }} as stage_days
        on
            months.model_code = stage_days.model_code
            and months.stage_code = stage_days.stage_code
            and months.month_on > stage_days.day_on
    where not stage_days.is_lost
    group by months.model_code, months.stage_code, months.month_on
),

advertising as (
    select
        {{ month_of('day_on') }} as month_on,
        sum(impression_count) as impression_count,
        sum(click_count) as click_count
    from (
        select spend_on as day_on, impression_count, click_count from {{ ref('fct_spend') }} where not is_test
        union all
        select event_on as day_on, 1 as impression_count, cast(null as bigint) as click_count
        from {{ ref('fct_event') }}
        where event_name = 'impression_owned' and not is_bot and not is_test
    ) as shown
    inner join as_of on shown.day_on <= as_of.as_of
    group by {{ month_of('day_on') }}
),

sources as (
    select
        {%- for source, relation in starts.items() %}
        {{ month_of('(select min(' ~ relation[0] ~ ') from ' ~ relation[1] ~ ')') }} as {{ source }}_from,
        {%- endfor %}
        (select min(month_on) from advertising where impression_count is not null) as impressions_from,
        (select min(month_on) from advertising where click_count is not null) as clicks_from
),

final as (
    select
        months.model_code,
        months.stage_code,
        months.month_on,
        months.measured_on,
        months.is_complete,
        months.is_inactive,
        months.customer_count,
        cast(months.starting_count as bigint) as starting_count,
        cast(coalesce(kept.starting_kept_count, 0) as bigint) as starting_kept_count,
        coalesce(flows.entry_count, 0) as entry_count,
        coalesce(flows.upgraded_count, 0) as upgraded_count,
        case when months.is_inactive then coalesce(flows.reactivated_count, 0) end as reactivated_count,
        coalesce(flows.churned_count, 0) as churned_count,
        cast(extract(day from months.measured_on) as bigint) as day_count,
        {%- for source, measures in counts.items() %}
        {%- for measure in measures %}
        case
            when months.month_on >= sources.{{ source }}_from
                then {{ 'sum(coalesce(facts.' ~ running[measure] ~ ', 0)) over (' ~ months_so_far ~ ')' if measure in running
                    else 'coalesce(facts.' ~ measure ~ ', 0)' }}
        end as {{ measure }},
        {%- endfor %}
        {%- endfor %}
        case
            when months.stage_code = {{ lifecycle_entry_stage('months.model_code') }} and months.month_on >= sources.impressions_from
                then cast(coalesce(advertising.impression_count, 0) as bigint)
        end as impression_count,
        case
            when months.stage_code = {{ lifecycle_entry_stage('months.model_code') }} and months.month_on >= sources.clicks_from
                then cast(coalesce(advertising.click_count, 0) as bigint)
        end as click_count
    from months
    cross join sources
    left join kept
        on months.model_code = kept.model_code and months.stage_code = kept.stage_code and months.month_on = kept.month_on
    left join {{ ref('int_lifecycle__stage_flows') }} as flows
        on months.model_code = flows.model_code and months.stage_code = flows.stage_code and months.month_on = flows.month_on
    left join {{ ref('int_lifecycle__stage_facts') }} as facts
        on months.model_code = facts.model_code and months.stage_code = facts.stage_code and months.month_on = facts.month_on
    left join advertising on months.month_on = advertising.month_on
)

select * from final
