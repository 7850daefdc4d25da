-- One row per weak identifier (device, cookie) outside the strong components, with the one component it belongs to.
-- A weak identifier never joins two persons: it follows the only person that it was seen with. One that was seen with nobody
-- follows the weak identifiers that it was seen with, one step far; outcome `shared` names several persons, `free` none.
with

weak as (
    select i.node_key
    from {{ ref('int_identity__identifiers') }} as i
    left join {{ ref('int_identity__crowded') }} as c on c.node_key = i.node_key
    left join {{ ref('int_identity__strong_components') }} as s on s.node_key = i.node_key
    where i.strength = 'weak' and i.blocked_reason is null and c.node_key is null and s.node_key is null
),

edges as (
    select distinct node_a, node_b
    from {{ ref('int_identity__judged_edges') }}
    where kind <> 'strong' and reason is null
),

directed as (
    select node_a as node_key, node_b as neighbour_key from edges
    union all
    select node_b as node_key, node_a as neighbour_key from edges
),

met as (
    select
        w.node_key,
        min(s.component_key) as component_key,
        count(distinct s.component_key) as person_count
    from weak as w
    inner join directed as d on d.node_key = w.node_key
    inner join {{ ref('int_identity__strong_components') }} as s on s.node_key = d.neighbour_key
    group by w.node_key
),

followed as (
    select
        w.node_key,
        min(m.component_key) as component_key,
        count(distinct m.component_key) as person_count
    from weak as w
    left join met as own on own.node_key = w.node_key
    inner join directed as d on d.node_key = w.node_key
    inner join met as m on m.node_key = d.neighbour_key and m.person_count = 1
    where own.node_key is null
    group by w.node_key
),

final as (
    select
        w.node_key,
        case when coalesce(m.person_count, f.person_count) = 1 then coalesce(m.component_key, f.component_key) end as component_key,
        case
            when coalesce(m.person_count, f.person_count) is null then 'free'
            when coalesce(m.person_count, f.person_count) > 1 then 'shared'
            else 'attached'
        end as outcome,
        case when m.node_key is null and f.node_key is not null then 2 else 1 end as steps
    from weak as w
    left join met as m on m.node_key = w.node_key
    left join followed as f on f.node_key = w.node_key
)

select * from final
