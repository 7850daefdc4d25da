-- Every pair of strong identifiers that passed the guards is in one component: the search has left no edge over.
with

edges as (
    select node_a, node_b from {{ ref('int_identity__judged_edges') }}
    where kind = 'strong' and reason is null
),

components as (
    select node_key, component_key from {{ ref('int_identity__components') }}
)

select edges.node_a, edges.node_b
from edges
left join components as a on a.node_key = edges.node_a
left join components as b on b.node_key = edges.node_b
where a.component_key is null or b.component_key is null or a.component_key <> b.component_key
