-- One row per model, stage and month from the first customer to as_of, with everything that the scorecard divides. A count whose
-- source had delivered nothing by the month is NULL, never 0. Advertising reaches people who are not known yet, so it stands
-- with the stage in which everybody begins.
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
        {{ month_of('(select min(ordered_on) from ' ~ ref('fct_order') ~ ')') }} as orders_from,
        {{ month_of('(select min(event_on) from ' ~ ref('fct_event') ~ ')') }} as events_from,
        {{ month_of('(select min(registered_on) from ' ~ ref('dim_customer') ~ ')') }} as registrations_from,
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
        case when months.month_on >= sources.orders_from then coalesce(facts.order_count, 0) end as order_count,
        case when months.month_on >= sources.orders_from then coalesce(facts.rated_order_count, 0) end as rated_order_count,
        case when months.month_on >= sources.orders_from then coalesce(facts.net_sales_amount, 0) end as net_sales_amount,
        case when months.month_on >= sources.orders_from then coalesce(facts.buyer_count, 0) end as buyer_count,
        case when months.month_on >= sources.registrations_from then coalesce(facts.registration_count, 0) end as registration_count,
        case when months.month_on >= sources.events_from then coalesce(facts.view_count, 0) end as view_count,
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
