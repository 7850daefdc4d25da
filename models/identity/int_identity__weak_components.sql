-- One row per weak identifier that belongs to no known person, with the anonymous component it makes with others like it.
with

links as (
    select node_key, outcome from {{ ref('int_identity__weak_links') }} where outcome in ('free', 'shared')
),

edges as (
    select distinct node_a, node_b
    from {{ ref('int_identity__judged_edges') }}
    where kind = 'weak_pair' and reason is null
),

final as (
    select e.node_a, e.node_b
    from edges as e
    inner join links as a on a.node_key = e.node_a and a.outcome = 'free'
    inner join links as b on b.node_key = e.node_b and b.outcome = 'free'

    union all

    select node_key as node_a, node_key as node_b from links
)

select * from final
