-- One row per run, origin, horizon, candidate, measure and metric, of the runs up to as_of.
with

told as (
    select * from {{ source('clv', 'backtest_metric') }}
),

runs as (
    select distinct model_run_id, as_of from {{ ref('clv_model_run') }}
),

final as (
    select
        cast(told.model_run_id as string) as model_run_id,
        cast(told.origin_on as date) as origin_on,
        cast(told.horizon_days as bigint) as horizon_days,
        cast(told.model_name as string) as model_name,
        cast(told.measure as string) as measure,
        cast(told.metric as string) as metric,
        cast(runs.as_of as date) as as_of,
        cast(told.actual as decimal(38,6)) as actual_value,
        cast(told.predicted as decimal(38,6)) as predicted_value,
        cast(told.value as decimal(38,6)) as metric_value
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
