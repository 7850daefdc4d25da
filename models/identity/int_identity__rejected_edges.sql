-- One row per edge of evidence that joins nobody, with the reason.
with

edges as (
    select node_a, node_b, source_system, rule, kind, first_seen_at, last_seen_at, record_count, reason
    from {{ ref('int_identity__judged_edges') }}
),

components as (
    select node_key, component_key from {{ ref('int_identity__components') }}
),

final as (
    select
        e.node_a,
        e.node_b,
        e.source_system,
        e.rule,
        e.kind,
        e.first_seen_at,
        e.last_seen_at,
        e.record_count,
        -- What passed every guard and still joins nobody hangs on a weak identifier that names several persons.
        coalesce(e.reason, 'shared_weak_identifier') as reason
    from edges as e
    left join components as a on a.node_key = e.node_a
    left join components as b on b.node_key = e.node_b
    where e.reason is not null or a.component_key is distinct from b.component_key
)

select * from final
