-- One row per pair of nodes that accepted evidence makes one person, with what decides how much the link can bear.
with

edges as (
    select node_a, node_b, rule, record_count
    from {{ ref('int_identity__judged_edges') }}
    where kind = 'strong' and reason is null
),

priorities as (
    select node_key, priority from {{ ref('int_identity__identifiers') }}
),

pairs as (
    select
        node_a,
        node_b,
        max(case when rule = 'must' then 1 else 0 end) = 1 as is_must,
        min(case when rule = 'probabilistic' then 1 else 0 end) = 1 as is_only_probable,
        cast(sum(record_count) as bigint) as record_count
    from edges
    group by node_a, node_b
),

final as (
    select
        p.node_a,
        p.node_b,
        p.is_must,
        -- What is only probable comes after every identifier.
        case when p.is_only_probable then 900 else greatest(a.priority, b.priority) end as weaker_priority,
        p.record_count
    from pairs as p
    inner join priorities as a on a.node_key = p.node_a
    inner join priorities as b on b.node_key = p.node_b
)

select * from final
