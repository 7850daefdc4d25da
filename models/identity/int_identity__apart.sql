-- One row per pair of nodes that a manual rule keeps apart.
with

final as (
    select distinct node_a, node_b
    from {{ ref('int_identity__node_statements') }}
    where action = 'cannot'
)

select * from final
