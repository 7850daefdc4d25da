-- One row per weak identifier (device, cookie) and person whom evidence ties it to: a login, or a record that names both.
with

weak as (
    select i.node_key, i.id_type, i.max_customers_per_value
    from {{ ref('int_identity__identifiers') }} as i
    left join {{ ref('int_identity__crowded') }} as c on c.node_key = i.node_key
    left join {{ ref('int_identity__strong_components') }} as s on s.node_key = i.node_key
    where i.strength = 'weak' and i.blocked_reason is null and c.node_key is null and s.node_key is null
),

edges as (
    select node_a, node_b, first_seen_at, last_seen_at, record_count
    from {{ ref('int_identity__judged_edges') }}
    where kind <> 'strong' and reason is null
),

directed as (
    select
        node_a as node_key,
        node_b as neighbour_key,
        first_seen_at,
        last_seen_at,
        record_count
    from edges
    union all
    select
        node_b as node_key,
        node_a as neighbour_key,
        first_seen_at,
        last_seen_at,
        record_count
    from edges
),

met as (
    select
        w.node_key,
        w.max_customers_per_value,
        s.component_key,
        min(d.first_seen_at) as first_seen_at,
        max(d.last_seen_at) as last_seen_at,
        cast(sum(d.record_count) as bigint) as record_count
    from weak as w
    inner join directed as d on d.node_key = w.node_key
    inner join {{ ref('int_identity__strong_components') }} as s on s.node_key = d.neighbour_key
    group by w.node_key, w.max_customers_per_value, s.component_key
),

-- What met nobody follows the weak identifiers that it was seen with, one step far, when they all belong to one person.
alone as (
    select w.node_key
    from weak as w
    left join met as m on m.node_key = w.node_key
    where m.node_key is null
),

only_one as (
    select
        node_key,
        min(component_key) as component_key
    from met
    group by node_key
    having count(*) = 1
),

followed as (
    select
        a.node_key,
        min(o.component_key) as component_key
    from alone as a
    inner join directed as d on d.node_key = a.node_key
    inner join only_one as o on o.node_key = d.neighbour_key
    group by a.node_key
    having count(distinct o.component_key) = 1
),

persons as (
    select
        *,
        count(*) over (partition by node_key) as person_count
    from met
),

final as (
    select
        node_key,
        component_key,
        first_seen_at,
        last_seen_at,
        record_count,
        cast(person_count as bigint) as person_count,
        case
            when person_count > coalesce(max_customers_per_value, person_count) then 'too_many_persons'
            when person_count > 1 then 'shared'
            else 'own'
        end as meeting
    from persons

    union all

    select
        node_key,
        component_key,
        cast(null as timestamp) as first_seen_at,
        cast(null as timestamp) as last_seen_at,
        cast(0 as bigint) as record_count,
        cast(1 as bigint) as person_count,
        'followed' as meeting
    from followed
)

select * from final
