-- One row per run and gate, of the runs up to as_of.
with

told as (
    select * from {{ source('clv', 'readiness') }}
),

runs as (
    select distinct model_run_id, as_of from {{ ref('clv_model_run') }}
),

final as (
    select
        cast(told.model_run_id as string) as model_run_id,
        cast(told.gate as string) as gate,
        cast(runs.as_of as date) as as_of,
        cast(told.required as decimal(18,6)) as required_value,
        cast(told.actual as decimal(18,6)) as actual_value,
        cast(told.is_met as boolean) as is_met
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
