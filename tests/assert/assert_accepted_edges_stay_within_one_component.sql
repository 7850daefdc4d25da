-- Every pair of strong identifiers that passed the guards and the cut is in one component: the search has left no edge over.
with

links as (
    select node_a, node_b from {{ ref('int_identity__links') }}
),

cut as (
    select node_a, node_b from {{ ref('int_identity__cut') }} where not is_joined
),

components as (
    select node_key, component_key from {{ ref('int_identity__strong_components') }}
)

select links.node_a, links.node_b
from links
left join cut on cut.node_a = links.node_a and cut.node_b = links.node_b
left join components as a on a.node_key = links.node_a
left join components as b on b.node_key = links.node_b
where cut.node_a is null and (a.component_key is null or b.component_key is null or a.component_key <> b.component_key)
