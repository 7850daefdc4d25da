-- One row per submodel, number of repeat order days and node, of the run that holds on as_of: what SQL scores with, without Python.
with

told as (
    select * from {{ source('clv', 'quadrature_nodes') }}
),

runs as (
    select distinct model_run_id from {{ ref('clv_model_run') }}
    where is_current
),

final as (
    select
        cast(told.submodel as string) as submodel,
        cast(told.x as bigint) as x,
        cast(told.node_index as bigint) as node_index,
        cast(told.model_run_id as string) as model_run_id,
        cast(told.node as double) as node,
        cast(told.weight as double) as weight
    from told
    inner join runs on told.model_run_id = runs.model_run_id
)

select * from final
