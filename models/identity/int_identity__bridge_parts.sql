-- One row per node that stays when a candidate for a bridge is taken out (by its copy_key), with the part that it is in then.
-- All candidates are tried at once: each has its own copy of its customer's graph.
{{ config(materialized='connected_components') }}
with

candidates as (
    select cut_a, cut_b, node_key, copy_key from {{ ref('int_identity__bridge_candidates') }}
),

links as (
    select node_a, node_b from {{ ref('int_identity__links') }}
),

final as (
    select
        a.copy_key as node_a,
        b.copy_key as node_b
    from candidates as a
    inner join links as l on l.node_a = a.node_key
    inner join candidates as b on b.cut_a = a.cut_a and b.cut_b = a.cut_b and b.node_key = l.node_b
    where not (l.node_a = a.cut_a and l.node_b = a.cut_b)

    union all

    select
        copy_key as node_a,
        copy_key as node_b
    from candidates
)

select * from final
