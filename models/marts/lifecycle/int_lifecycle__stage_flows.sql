-- One row per model, stage and month: of the customers who were in the stage when the month began, how many ended it higher, came
-- back from silence, or were lost; and how often the stage was entered. Only who moved is looked at: the others stayed.
with

transitions as (
    select
        transitions.*,
        {{ month_of('occurred_on') }} as month_on
    from {{ ref('customer_lifecycle_transitions') }} as transitions
),

stages as (
    select * from {{ ref('lifecycle_stage') }}
),

-- Who entered within the month was in no stage when it began; '' stands for that, because min_by passes over NULL.
moves as (
    select
        customer_id,
        model_code,
        month_on,
        min_by(coalesce(from_stage_code, ''), sequence_number) as from_stage_code,
        max_by(coalesce(to_stage_code, ''), sequence_number) as to_stage_code
    from transitions
    group by customer_id, model_code, month_on
),

judged as (
    select
        moves.model_code,
        moves.from_stage_code as stage_code,
        moves.month_on,
        case when starts.is_inactive and not ends.is_inactive then 1 else 0 end as reactivated_count,
        case
            when starts.is_inactive and not ends.is_inactive then 0
            when ends.stage_rank > starts.stage_rank then 1
            else 0
        end as upgraded_count,
        0 as churned_count,
        0 as entry_count
    from moves
    inner join stages as starts on moves.model_code = starts.model_code and moves.from_stage_code = starts.stage_code
    inner join stages as ends on moves.model_code = ends.model_code and moves.to_stage_code = ends.stage_code
),

-- Lost means the same in every model; the stage is the one that the customer began the month in.
churned as (
    select
        intervals.model_code,
        intervals.stage_code,
        moves.month_on,
        0 as reactivated_count,
        0 as upgraded_count,
        1 as churned_count,
        0 as entry_count
    from moves
    inner join {{ ref('customer_lifecycle_intervals') }} as intervals
        on
            moves.customer_id = intervals.customer_id
            and intervals.valid_from < moves.month_on
            and coalesce(intervals.valid_to, cast('9999-12-31' as date)) >= moves.month_on
    where
        moves.model_code = 'maturity5'
        and moves.to_stage_code = 'lost'
        and moves.from_stage_code not in ('', 'lost')
),

entered as (
    select
        model_code,
        to_stage_code as stage_code,
        month_on,
        0 as reactivated_count,
        0 as upgraded_count,
        0 as churned_count,
        1 as entry_count
    from transitions
    where to_stage_code is not null
),

counted as (
    select * from judged
    union all
    select * from churned
    union all
    select * from entered
),

final as (
    select
        model_code,
        stage_code,
        month_on,
        cast(sum(reactivated_count) as bigint) as reactivated_count,
        cast(sum(upgraded_count) as bigint) as upgraded_count,
        cast(sum(churned_count) as bigint) as churned_count,
        cast(sum(entry_count) as bigint) as entry_count
    from counted
    group by model_code, stage_code, month_on
)

select * from final
