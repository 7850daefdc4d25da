-- One row per edge of evidence that joins nobody, with the reason.
with

edges as (
    select * from {{ ref('int_identity__judged_edges') }}
),

cut as (
    select node_a, node_b, reason from {{ ref('int_identity__cut') }} where not is_joined
),

together as (
    select distinct e.node_a, e.node_b
    from edges as e
    inner join {{ ref('int_identity__components') }} as a on a.node_key = e.node_a
    inner join {{ ref('int_identity__components') }} as b on b.node_key = e.node_b and b.component_key = a.component_key
    where e.reason is null
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
        -- What passed every guard and still joins nobody hangs on a weak identifier that another person has, or too many.
        coalesce(e.reason, c.reason, 'shared_weak_identifier') as reason
    from edges as e
    left join cut as c on c.node_a = e.node_a and c.node_b = e.node_b
    left join together as t on t.node_a = e.node_a and t.node_b = e.node_b
    where e.reason is not null or t.node_a is null
)

select * from final
