-- One row per run, origin, horizon, candidate and decile of its prediction, of the runs up to as_of.
with

told as (
    select * from {{ source('clv', 'backtest_decile') }}
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
        cast(told.decile as bigint) as decile,
        cast(runs.as_of as date) as as_of,
        cast(told.customer_count as bigint) as customer_count,
        cast(told.mean_predicted_orders as decimal(18,6)) as mean_predicted_orders,
        cast(told.mean_actual_orders as decimal(18,6)) as mean_actual_orders,
        cast(told.mean_predicted_value as decimal(18,4)) as mean_predicted_value_amount,
        cast(told.mean_actual_value as decimal(18,4)) as mean_actual_value_amount
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
