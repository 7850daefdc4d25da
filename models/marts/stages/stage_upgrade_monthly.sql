-- One row per model, stage, higher stage (or `any`), campaign, month and attribution: of the customers whom the campaign reached
-- while they were in the stage, how many entered the higher one within 14 days. Who was reached by several campaigns in a month
-- belongs to the first of them (attribution `first`), or to the last (`last`), from that contact on. Stages are those of days, so the
-- instant before a contact is the day before it. Held out by the campaign counts apart, and as a contact of its own in the choice
-- between campaigns: a choice that only who was written to must pass would compare two kinds of customers.
{%- set window_days = 14 %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

-- The assignment is what counts where there is one; what was then sent follows from it.
touches as (
    select
        touches.customer_id,
        touches.campaign_key,
        {{ month_of('touches.touched_on') }} as month_on,
        touches.touch_key,
        touches.touched_at,
        touches.touched_on,
        touches.touch_kind,
        coalesce(touches.touch_kind = 'holdout' or lower(touches.variant) in ('holdout', 'control'), false) as is_held_out,
        {{ days_later('touches.touched_on', window_days) }} <= as_of.as_of as is_over,
        max(case when touches.touch_kind = 'sent' then 0 else 1 end) over (
            partition by touches.customer_id, touches.campaign_key, {{ month_of('touches.touched_on') }}
        ) = 1 as is_experiment
    from {{ ref('fct_touch') }} as touches
    cross join as_of
    where
        touches.touched_on <= as_of.as_of
        and touches.campaign_key is not null
        and touches.customer_id <> '-1'
        and not touches.is_test
        and (touches.touch_kind = 'sent' or (touches.touch_kind in ('assigned', 'holdout') and touches.experiment_ref is not null))
),

-- Who is in both arms says nothing about either.
arms as (
    select
        touches.*,
        min(case when is_held_out then 1 else 0 end) over (partition by customer_id, campaign_key, month_on)
        = max(case when is_held_out then 1 else 0 end) over (partition by customer_id, campaign_key, month_on) as is_one_arm
    from touches
    where touch_kind <> 'sent' or not is_experiment
),

subjects as (
    {%- for attribution, direction in {'first': 'asc', 'last': 'desc'}.items() %}
    select
        '{{ attribution }}' as attribution, customer_id, campaign_key, month_on, touched_on, is_held_out, is_over,
        row_number() over (
            partition by customer_id, month_on order by touched_at {{ direction }} nulls last, touch_key {{ direction }} nulls last
        ) as place
    from arms
    where is_one_arm
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

staged as (
    select subjects.*, intervals.model_code, intervals.stage_code
    from subjects
    inner join {{ ref('customer_lifecycle_intervals') }} as intervals
        on
            subjects.customer_id = intervals.customer_id
            and subjects.touched_on > intervals.valid_from
            and subjects.touched_on <= coalesce(intervals.valid_to, cast('9999-12-31' as date))
    where subjects.place = 1
),

-- Who enters two higher stages counts in both, and once in `any`.
pairs as (
    {%- for to_stage in ['higher.stage_code', "'any'"] %}
    select stages.model_code, stages.stage_code, higher.stage_code as entered_stage_code, {{ to_stage }} as to_stage_code
    from {{ ref('lifecycle_stage') }} as stages
    inner join {{ ref('lifecycle_stage') }} as higher
        on stages.model_code = higher.model_code and stages.stage_rank < higher.stage_rank
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

higher as (
    select distinct model_code, stage_code, to_stage_code from pairs
),

reached as (
    select
        model_code, stage_code, campaign_key, month_on, attribution,
        count(*) filter (where not is_held_out) as eligible_count,
        count(*) filter (where not is_held_out and is_over) as measured_count,
        count(*) filter (where is_held_out and is_over) as holdout_measured_count,
        max(max(case when is_held_out then 1 else 0 end)) over (partition by campaign_key, month_on, attribution) as has_holdout
    from staged
    group by model_code, stage_code, campaign_key, month_on, attribution
),

moved as (
    select
        staged.model_code, staged.stage_code, pairs.to_stage_code, staged.campaign_key, staged.month_on, staged.attribution,
        count(distinct case when not staged.is_held_out then staged.customer_id end) as moved_count,
        count(distinct case when staged.is_held_out then staged.customer_id end) as holdout_moved_count
    from staged
    inner join {{ ref('customer_lifecycle_transitions') }} as transitions
        on
            staged.customer_id = transitions.customer_id
            and staged.model_code = transitions.model_code
            and transitions.occurred_on between staged.touched_on and {{ days_later('staged.touched_on', window_days) }}
    inner join pairs
        on
            staged.model_code = pairs.model_code and staged.stage_code = pairs.stage_code
            and transitions.to_stage_code = pairs.entered_stage_code
    where staged.is_over
    group by
        staged.model_code, staged.stage_code, pairs.to_stage_code, staged.campaign_key, staged.month_on, staged.attribution
),

final as (
    select
        reached.model_code,
        reached.stage_code as from_stage_code,
        cast(higher.to_stage_code as string) as to_stage_code,
        reached.campaign_key,
        reached.month_on,
        reached.attribution,
        case
            when campaigns.target_model is null then null
            else
                campaigns.target_model = reached.model_code
                and coalesce(campaigns.target_stage_from, reached.stage_code) = reached.stage_code
                and coalesce(campaigns.target_stage_to, higher.to_stage_code) = higher.to_stage_code
        end as is_target,
        cast({{ window_days }} as bigint) as window_days,
        {{ days_later('last_day(reached.month_on)', window_days) }} <= as_of.as_of as is_complete,
        cast(reached.eligible_count as bigint) as eligible_count,
        cast(reached.measured_count as bigint) as measured_count,
        cast(case when reached.measured_count > 0 then coalesce(moved.moved_count, 0) end as bigint) as moved_count,
        {{ share('coalesce(moved.moved_count, 0)', 'reached.measured_count') }} as upgrade_rate,
        cast(case when reached.has_holdout = 1 then reached.holdout_measured_count end as bigint) as holdout_measured_count,
        cast(case when reached.holdout_measured_count > 0 then coalesce(moved.holdout_moved_count, 0) end as bigint)
            as holdout_moved_count,
        {{ share('coalesce(moved.holdout_moved_count, 0)', 'reached.holdout_measured_count') }} as holdout_rate,
        cast(
            {{ share('coalesce(moved.moved_count, 0)', 'reached.measured_count') }}
            - {{ share('coalesce(moved.holdout_moved_count, 0)', 'reached.holdout_measured_count') }} as decimal(18, 6)
        ) as uplift_rate
    from reached
    cross join as_of
    inner join higher on reached.model_code = higher.model_code and reached.stage_code = higher.stage_code
    inner join {{ ref('dim_campaign') }} as campaigns on reached.campaign_key = campaigns.campaign_key
    left join moved
        on
            reached.model_code = moved.model_code
            and reached.stage_code = moved.stage_code
            and higher.to_stage_code = moved.to_stage_code
            and reached.campaign_key = moved.campaign_key
            and reached.month_on = moved.month_on
            and reached.attribution = moved.attribution
)

select * from final
