-- One row per model, stage and day: every month end since the first customer, and the as-of day. How many customers were in the
-- stage on that day; nobody is in two stages of one model, so the stages of a day add up to everybody seen by then.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

stage_days as (
    select * from {{ ref('int_lifecycle__stage_days') }}
),

models as (
    select
        model_code,
        min(day_on) as first_on
    from stage_days
    group by model_code
),

measured as (
    select date_on as as_of, true as is_month_end from {{ ref('dim_date') }} where is_month_end
    union
    select as_of.as_of, dim_date.is_month_end
    from as_of
    inner join {{ ref('dim_date') }} as dim_date on as_of.as_of = dim_date.date_on
),

grid as (
    select
        stages.model_code,
        stages.stage_code,
        stages.stage_rank,
        stages.is_inactive,
        stages.label_en,
        stages.label_zh,
        measured.as_of,
        measured.is_month_end
    from {{ ref('lifecycle_stage') }} as stages
    inner join models on stages.model_code = models.model_code
    cross join as_of
    inner join measured on measured.as_of between models.first_on and as_of.as_of
),

counted as (
    select
        grid.model_code,
        grid.stage_code,
        grid.as_of,
        sum(stage_days.customer_change) as customer_count,
        sum(case when stage_days.is_anonymous then stage_days.customer_change end) as anonymous_customer_count
    from grid
    inner join stage_days
        on
            grid.model_code = stage_days.model_code
            and grid.stage_code = stage_days.stage_code
            and grid.as_of >= stage_days.day_on
    group by grid.model_code, grid.stage_code, grid.as_of
),

events as (
    select min(event_on) as first_on from {{ ref('fct_event') }} where not is_bot and not is_test
),

final as (
    select
        grid.model_code,
        grid.stage_code,
        grid.as_of,
        grid.is_month_end,
        cast(grid.stage_rank as bigint) as stage_rank,
        grid.is_inactive,
        grid.label_en,
        grid.label_zh,
        cast(coalesce(counted.customer_count, 0) as bigint) as customer_count,
        cast(coalesce(counted.anonymous_customer_count, 0) as bigint) as anonymous_customer_count,
        cast(cast(coalesce(counted.customer_count, 0) as double) / nullif(
            sum(counted.customer_count) over (partition by grid.model_code, grid.as_of), 0
        ) as decimal(18, 6)) as customer_rate,
        coalesce(events.first_on <= grid.as_of, false) as has_event_source
    from grid
    cross join events
    left join counted
        on
            grid.model_code = counted.model_code
            and grid.stage_code = counted.stage_code
            and grid.as_of = counted.as_of
)

select * from final
