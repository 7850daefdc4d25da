-- One row per run and check, of the runs up to as_of.
with

told as (
    select * from {{ source('clv', 'monitor') }}
),

runs as (
    select distinct model_run_id, as_of from {{ ref('clv_model_run') }}
),

final as (
    select
        cast(told.model_run_id as string) as model_run_id,
        cast(told.check_name as string) as check_name,
        cast(runs.as_of as date) as as_of,
        cast(told.value as decimal(38,6)) as check_value,
        cast(told.limit_value as decimal(38,6)) as limit_value,
        cast(told.status as string) as status
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
