-- One row per candidate for a bridge and node that stays in its customer when the candidate is taken out. A candidate is a link
-- (cut_a < cut_b) without a way round it over one other node, or a value (cut_a = cut_b) whose neighbours are not all tied to
-- one of them: everything else is no bridge for sure. Only customers that could fall apart into two persons are looked at.
{%- set most_nodes = 1000 %}
with

nodes as (
    select
        c.component_key,
        c.node_key,
        i.is_account,
        i.strength
    from {{ ref('int_identity__strong_components') }} as c
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = c.node_key
),

customers as (
    select component_key
    from nodes
    group by component_key
    having
        -- A customer so large is no person; it is found by its size, and the search would cost its square.
        count(*) <= {{ most_nodes }}
        and (count(*) filter (where is_account) >= 2 or count(*) filter (where strength = 'strong') >= 4)
),

members as (
    select n.component_key, n.node_key, n.is_account
    from nodes as n
    inner join customers as c on c.component_key = n.component_key
),

links as (
    select a.component_key, l.node_a, l.node_b, l.is_must
    from {{ ref('int_identity__links') }} as l
    inner join members as a on a.node_key = l.node_a
    inner join members as b on b.node_key = l.node_b and b.component_key = a.component_key
),

directed as (
    select component_key, node_a as node_key, node_b as neighbour_key, is_must from links
    union all
    select component_key, node_b as node_key, node_a as neighbour_key, is_must from links
),

ways_round as (
    select d.node_key, d.neighbour_key, count(*) as way_count
    from directed as d
    inner join directed as x on x.node_key = d.node_key
    inner join directed as y on y.node_key = x.neighbour_key and y.neighbour_key = d.neighbour_key
    group by d.node_key, d.neighbour_key
),

tied as (
    select
        d.component_key,
        d.node_key,
        d.neighbour_key,
        d.is_must,
        count(*) over (partition by d.node_key) as degree,
        coalesce(w.way_count, 0) as way_count
    from directed as d
    left join ways_round as w on w.node_key = d.node_key and w.neighbour_key = d.neighbour_key
),

candidates as (
    select component_key, node_key as cut_a, neighbour_key as cut_b
    from tied
    where way_count = 0 and node_key < neighbour_key and not is_must

    union all

    select
        t.component_key,
        t.node_key as cut_a,
        t.node_key as cut_b
    from tied as t
    inner join members as m on m.node_key = t.node_key
    where not m.is_account
    group by t.component_key, t.node_key, t.degree
    having max(t.way_count) < t.degree - 1
),

final as (
    select
        c.component_key,
        c.cut_a,
        c.cut_b,
        m.node_key,
        {{ node_key("concat_ws('|', cast(c.cut_a as string), cast(c.cut_b as string), cast(m.node_key as string))") }} as copy_key
    from candidates as c
    inner join members as m on m.component_key = c.component_key
    where not (c.cut_a = c.cut_b and m.node_key = c.cut_a)
)

select * from final
