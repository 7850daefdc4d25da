-- One row per bridge: a link, or a value with all of its links to one side, without which a customer would fall apart into
-- parts that could each be a person (an account on both sides, or two strong identifiers on both sides). Worst first.
with

identifiers as (
    select node_key, id_type, id_scope, id_value, is_account, strength, priority from {{ ref('int_identity__identifiers') }}
),

placed as (
    select
        c.component_key,
        c.cut_a,
        c.cut_b,
        c.node_key,
        p.component_key as part_key,
        i.is_account,
        i.strength
    from {{ ref('int_identity__bridge_candidates') }} as c
    inner join {{ ref('int_identity__bridge_parts') }} as p on p.node_key = c.copy_key
    inner join identifiers as i on i.node_key = c.node_key
),

parts as (
    select
        component_key,
        cut_a,
        cut_b,
        part_key,
        min(node_key) as first_node,
        count(*) filter (where is_account) as account_count,
        count(*) filter (where strength = 'strong') as strong_count
    from placed
    group by component_key, cut_a, cut_b, part_key
),

ranked as (
    select
        *,
        row_number() over (
            partition by cut_a, cut_b
            order by account_count desc nulls last, strong_count desc nulls last, first_node asc nulls last
        ) as part_rank
    from parts
),

bridges as (
    select
        component_key,
        cut_a,
        cut_b,
        sum(account_count) filter (where part_rank > 1) as side_account_count,
        sum(strong_count) filter (where part_rank > 1) as side_strong_count,
        sum(account_count) filter (where part_rank = 1) as rest_account_count,
        sum(strong_count) filter (where part_rank = 1) as rest_strong_count
    from ranked
    group by component_key, cut_a, cut_b
    having count(*) filter (where account_count >= 1) >= 2 or count(*) filter (where strong_count >= 2) >= 2
),

side_nodes as (
    select p.cut_a, p.cut_b, p.node_key
    from placed as p
    inner join ranked as r on r.cut_a = p.cut_a and r.cut_b = p.cut_b and r.part_key = p.part_key and r.part_rank > 1
    where p.cut_a = p.cut_b
),

pairs as (
    select b.cut_a, b.cut_b, l.node_a, l.node_b, l.weaker_priority, l.record_count
    from bridges as b
    inner join {{ ref('int_identity__links') }} as l on l.node_a = b.cut_a and l.node_b = b.cut_b

    union all

    select s.cut_a, s.cut_b, l.node_a, l.node_b, l.weaker_priority, l.record_count
    from side_nodes as s
    inner join bridges as b on b.cut_a = s.cut_a and b.cut_b = s.cut_b
    inner join {{ ref('int_identity__links') }} as l
        on l.node_a = least(s.cut_a, s.node_key) and l.node_b = greatest(s.cut_a, s.node_key)
),

evidence as (
    select p.cut_a, p.cut_b, e.source_system, e.rule, e.first_seen_at, e.last_seen_at
    from pairs as p
    inner join {{ ref('int_identity__judged_edges') }} as e on e.node_a = p.node_a and e.node_b = p.node_b
    where e.kind = 'strong' and e.reason is null
),

strength as (
    select
        cut_a,
        cut_b,
        count(*) as link_count,
        max(record_count) as record_count,
        min(weaker_priority) as priority
    from pairs
    group by cut_a, cut_b
),

sources as (
    select
        cut_a,
        cut_b,
        count(distinct source_system) as source_count,
        {{ join_sorted("source_system || ' ' || rule", ', ') }} as evidence,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from (
        select
            cut_a,
            cut_b,
            source_system,
            rule,
            min(first_seen_at) as first_seen_at,
            max(last_seen_at) as last_seen_at
        from evidence
        group by cut_a, cut_b, source_system, rule
    ) as distinct_sources
    group by cut_a, cut_b
),

final as (
    select
        cast(row_number() over (
            order by
                b.side_account_count desc nulls last,
                b.side_strong_count desc nulls last,
                s.priority desc nulls last,
                s.record_count asc nulls last,
                o.source_count asc nulls last,
                c.customer_id asc nulls last,
                b.cut_a asc nulls last,
                b.cut_b asc nulls last
        ) as bigint) as review_rank,
        c.customer_id,
        b.cut_a <> b.cut_b as is_link,
        l.id_type,
        l.id_scope,
        l.id_value,
        r.id_type as other_id_type,
        r.id_scope as other_id_scope,
        r.id_value as other_id_value,
        cast(b.side_account_count as bigint) as side_account_count,
        cast(b.side_strong_count as bigint) as side_strong_count,
        cast(b.rest_account_count as bigint) as rest_account_count,
        cast(b.rest_strong_count as bigint) as rest_strong_count,
        cast(s.link_count as bigint) as link_count,
        cast(s.record_count as bigint) as record_count,
        o.evidence,
        o.first_seen_at,
        o.last_seen_at
    from bridges as b
    inner join {{ ref('int_identity__customer_ids') }} as c on c.component_key = b.component_key
    inner join strength as s on s.cut_a = b.cut_a and s.cut_b = b.cut_b
    inner join sources as o on o.cut_a = b.cut_a and o.cut_b = b.cut_b
    inner join identifiers as l on l.node_key = b.cut_a
    left join identifiers as r on r.node_key = nullif(b.cut_b, b.cut_a)
    -- A value that is tied to the smaller side by one link alone is that link's row already.
    where b.cut_a <> b.cut_b or s.link_count > 1
)

select * from final
