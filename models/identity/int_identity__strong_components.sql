-- One row per node that is a person's own, with the component it belongs to once every limit holds.
with

plain as (
    select node_key, component_key from {{ ref('int_identity__plain_components') }}
),

cut as (
    select node_key, component_key from {{ ref('int_identity__cut_components') }}
),

final as (
    select
        p.node_key,
        coalesce(c.component_key, p.component_key) as component_key
    from plain as p
    left join cut as c on c.node_key = p.node_key
)

select * from final
