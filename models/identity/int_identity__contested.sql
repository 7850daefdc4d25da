-- One row per node of a component that holds more values of a type than one person may, or a pair that must stay apart.
-- `value_key` says which values count as one: two member numbers that two different strong identifiers were each seen with are
-- one person's, however many members a person may be (`shared_to_exceed` in the seed id_type_rule). A value that moved away and came
-- back is one value in two nodes.
with

nodes as (
    select
        c.component_key,
        i.node_key,
        i.value_key,
        i.strength,
        i.is_account,
        i.max_values_per_customer,
        i.shared_to_exceed,
        i.id_type || '|' || i.id_scope as limit_key
    from {{ ref('int_identity__plain_components') }} as c
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = c.node_key
),

too_many as (
    select component_key
    from nodes
    where max_values_per_customer is not null
    group by component_key, limit_key
    having count(distinct value_key) > max(max_values_per_customer)
),

kept_apart as (
    select a.component_key
    from {{ ref('int_identity__node_statements') }} as s
    inner join nodes as a on a.node_key = s.node_a
    inner join nodes as b on b.node_key = s.node_b and b.component_key = a.component_key
    where s.action = 'cannot'
),

broken as (
    select component_key from too_many
    union
    select component_key from kept_apart
),

contested as (
    select n.*
    from nodes as n
    inner join broken as b on b.component_key = n.component_key
),

met as (
    select
        node_a as node_key,
        node_b as neighbour_key
    from {{ ref('int_identity__links') }}
    union all
    select
        node_b as node_key,
        node_a as neighbour_key
    from {{ ref('int_identity__links') }}
),

witnessed as (
    select
        v.value_key,
        v.limit_key,
        v.shared_to_exceed,
        w.node_key as witness_node,
        w.value_key as witness_key
    from contested as v
    inner join met as m on m.node_key = v.node_key
    inner join contested as w on w.node_key = m.neighbour_key
    where v.shared_to_exceed is not null and w.strength = 'strong' and not w.is_account and w.limit_key <> v.limit_key
),

alike as (
    select
        a.value_key,
        b.value_key as other_key
    from witnessed as a
    inner join witnessed as b
        on b.witness_node = a.witness_node and b.limit_key = a.limit_key and b.value_key <> a.value_key
    group by a.value_key, b.value_key
    having count(distinct a.witness_key) >= max(a.shared_to_exceed)
),

first_alike as (
    select
        value_key,
        min(other_key) as other_key
    from alike
    group by value_key
),

final as (
    select
        n.node_key,
        n.component_key,
        case when n.max_values_per_customer is not null then n.limit_key end as limit_key,
        least(n.value_key, a.other_key) as value_key,
        n.max_values_per_customer as max_values
    from contested as n
    left join first_alike as a on a.value_key = n.value_key
)

select * from final
