-- What flows into a stage in a month are the heads in it at the month's end, and what flows out of it are those at its start.
with

counts as (
    select
        model_code,
        stage_code,
        as_of,
        customer_count,
        coalesce(lag(customer_count) over (partition by model_code, stage_code order by as_of nulls last), 0) as starting_count
    from {{ ref('lifecycle_stage_monthly') }}
),

flows as (
    select model_code, measured_on, to_stage_code as stage_code, customer_count as arrived_count, 0 as departed_count
    from {{ ref('lifecycle_flow_monthly') }}
    union all
    select model_code, measured_on, from_stage_code as stage_code, 0 as arrived_count, customer_count as departed_count
    from {{ ref('lifecycle_flow_monthly') }}
),

summed as (
    select
        model_code,
        stage_code,
        measured_on,
        sum(arrived_count) as arrived_count,
        sum(departed_count) as departed_count
    from flows
    where stage_code is not null
    group by model_code, stage_code, measured_on
)

select
    coalesce(counts.model_code, summed.model_code) as model_code,
    coalesce(counts.stage_code, summed.stage_code) as stage_code,
    coalesce(counts.as_of, summed.measured_on) as measured_on,
    counts.customer_count,
    summed.arrived_count,
    counts.starting_count,
    summed.departed_count
from counts
full outer join summed
    on
        counts.model_code = summed.model_code
        and counts.stage_code = summed.stage_code
        and counts.as_of = summed.measured_on
where
    coalesce(counts.customer_count, 0) <> coalesce(summed.arrived_count, 0)
    or coalesce(counts.starting_count, 0) <> coalesce(summed.departed_count, 0)
