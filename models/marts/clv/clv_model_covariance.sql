-- One row per run, submodel and pair of parameters, of the runs up to as_of: how surely they are known, and which go together.
with

told as (
    select * from {{ source('clv', 'model_covariance') }}
),

runs as (
    select distinct model_run_id, as_of from {{ ref('clv_model_run') }}
),

final as (
    select
        cast(told.model_run_id as string) as model_run_id,
        cast(told.submodel as string) as submodel,
        cast(told.name_a as string) as name_a,
        cast(told.name_b as string) as name_b,
        cast(runs.as_of as date) as as_of,
        cast(told.log_covariance as double) as log_covariance
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
