-- One row per edge of evidence, with its kind and the reason for which a guard refuses it, NULL when it counts.
-- A manual rule comes before every guard, and of two manual rules the separating one. What a source unbound is no reason here: the
-- value's next period is another node.
with

edges as (
    select node_a, node_b, source_system, rule, first_seen_at, last_seen_at, record_count from {{ ref('int_identity__edges') }}
),

identifiers as (
    select node_key, strength, blocked_reason from {{ ref('int_identity__identifiers') }}
),

crowded as (
    select node_key, crowded_reason from {{ ref('int_identity__crowded') }}
),

separations as (
    select
        node_a,
        node_b,
        max(case when action = 'cannot' then 1 else 0 end) as cannot_count
    from {{ ref('int_identity__node_statements') }}
    where action in ('cannot', 'never')
    group by node_a, node_b
),

final as (
    select
        e.node_a,
        e.node_b,
        e.source_system,
        e.rule,
        e.first_seen_at,
        e.last_seen_at,
        e.record_count,
        case
            when e.rule = 'must' or (a.strength <> 'weak' and b.strength <> 'weak') then 'strong'
            when a.strength = 'weak' and b.strength = 'weak' then 'weak_pair'
            else 'weak'
        end as kind,
        case
            when s.cannot_count = 1 then 'cannot'
            when e.rule = 'must' then null
            when s.cannot_count = 0 then 'never'
            else coalesce(a.blocked_reason, b.blocked_reason, c.crowded_reason, d.crowded_reason)
        end as reason
    from edges as e
    inner join identifiers as a on a.node_key = e.node_a
    inner join identifiers as b on b.node_key = e.node_b
    left join crowded as c on c.node_key = e.node_a
    left join crowded as d on d.node_key = e.node_b
    left join separations as s on s.node_a = e.node_a and s.node_b = e.node_b
)

select * from final
