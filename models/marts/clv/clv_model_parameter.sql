-- One row per run, submodel and parameter, of the runs up to as_of.
with

told as (
    select * from {{ source('clv', 'model_parameters') }}
),

runs as (
    select distinct model_run_id, as_of from {{ ref('clv_model_run') }}
),

final as (
    select
        cast(told.model_run_id as string) as model_run_id,
        cast(told.submodel as string) as submodel,
        cast(told.name as string) as name,
        cast(runs.as_of as date) as as_of,
        cast(told.position as bigint) as position,
        cast(told.value as double) as value,
        cast(told.log_sd as double) as log_sd
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
