-- One row per model, month, stage in which customers began it and stage in which they ended it: how many. Who came in that month
-- began it in no stage. What went out of a stage and what came into it add up to the heads of lifecycle_stage_monthly.
with

counts as (
    select
        model_code,
        stage_code,
        as_of,
        {{ month_of('as_of') }} as month_on,
        is_month_end,
        lag(customer_count) over (partition by model_code, stage_code order by as_of nulls last) as starting_count
    from {{ ref('lifecycle_stage_monthly') }}
),

months as (
    select distinct model_code, month_on, as_of as measured_on, is_month_end as is_complete from counts
),

-- '' stands for no stage, because min_by passes over NULL.
moves as (
    select
        customer_id,
        model_code,
        {{ month_of('occurred_on') }} as month_on,
        min_by(coalesce(from_stage_code, ''), sequence_number) as from_stage_code,
        max_by(coalesce(to_stage_code, ''), sequence_number) as to_stage_code
    from {{ ref('customer_lifecycle_transitions') }}
    group by customer_id, model_code, {{ month_of('occurred_on') }}
),

moved as (
    select model_code, month_on, from_stage_code, to_stage_code, count(*) as customer_count
    from moves
    group by model_code, month_on, from_stage_code, to_stage_code
),

-- Only who moved is looked at: the others stayed.
flows as (
    select model_code, month_on, from_stage_code, to_stage_code, customer_count from moved
    union all
    select model_code, month_on, from_stage_code, from_stage_code as to_stage_code, -customer_count as customer_count
    from moved
    where from_stage_code <> ''
    union all
    select model_code, month_on, stage_code as from_stage_code, stage_code as to_stage_code, starting_count as customer_count
    from counts
    where starting_count > 0
),

summed as (
    select model_code, month_on, from_stage_code, to_stage_code, sum(customer_count) as customer_count
    from flows
    group by model_code, month_on, from_stage_code, to_stage_code
),

stages as (
    select * from {{ ref('lifecycle_stage') }}
),

final as (
    select
        summed.model_code,
        summed.month_on,
        months.measured_on,
        months.is_complete,
        nullif(summed.from_stage_code, '') as from_stage_code,
        nullif(summed.to_stage_code, '') as to_stage_code,
        case
            when summed.from_stage_code = '' then 'enter'
            when summed.to_stage_code = '' then 'exit'
            when summed.from_stage_code = summed.to_stage_code then 'stay'
            when starts.is_inactive and not ends.is_inactive then 'reactivate'
            when ends.stage_rank > starts.stage_rank then 'upgrade'
            else 'downgrade'
        end as flow_kind,
        cast(summed.customer_count as bigint) as customer_count
    from summed
    inner join months on summed.model_code = months.model_code and summed.month_on = months.month_on
    left join stages as starts on summed.model_code = starts.model_code and summed.from_stage_code = starts.stage_code
    left join stages as ends on summed.model_code = ends.model_code and summed.to_stage_code = ends.stage_code
    where summed.customer_count <> 0
)

select * from final
