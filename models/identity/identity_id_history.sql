-- One row per customer id and period, with the id that stood for its person: itself, the one it was merged into, or none. The table
-- is remembered: every run, a full refresh too, reads it as the last run left it, closes the periods that ended and opens new ones.
-- A period begins when the run that found the change started; a rerun without a change adds nothing.
with

history as ({{ id_history() }}),

former_members as ({{ former_members() }}),

components as (
    select node_key, component_key from {{ ref('int_identity__components') }}
),

customer_ids as (
    select component_key, customer_id, anchor_key, born_at, is_new, is_anonymous from {{ ref('int_identity__customer_ids') }}
),

edges as (
    select node_a, node_b, source_system, rule, kind, record_count, reason from {{ ref('int_identity__judged_edges') }}
),

cut as (
    select node_a, node_b, reason from {{ ref('int_identity__cut') }} where not is_joined
),

states as (
    select
        h.customer_id, c.customer_id as current_customer_id, h.anchor_key, h.is_anonymous, h.born_at, h.component_key
    from {{ ref('int_identity__id_holders') }} as h
    left join customer_ids as c on c.component_key = h.component_key

    union all

    select customer_id, customer_id as current_customer_id, anchor_key, is_anonymous, born_at, component_key
    from customer_ids
    where is_new
),

open_periods as (
    select customer_id, current_customer_id from history where valid_to is null
),

former_anchors as (
    select node_key, max(customer_id) as customer_id
    from former_members
    group by node_key
),

changes as (
    select
        s.*,
        o.current_customer_id as former_current_id,
        case
            when o.customer_id is null and f.customer_id is not null then 'split'
            when o.customer_id is null then 'born'
            when s.current_customer_id is null then 'retired'
            when s.current_customer_id = s.customer_id then 'restored'
            else 'merged'
        end as event
    from states as s
    left join open_periods as o on o.customer_id = s.customer_id
    left join former_anchors as f on f.node_key = s.anchor_key
    where o.customer_id is null or o.current_customer_id is distinct from s.current_customer_id
),

-- What a change is owed to: for a merge a link out of the former members, otherwise a link to them that no longer holds. An id that was
-- merged before has no members of its own: it goes with those of the customer that it stood for.
moved_nodes as (
    select c.customer_id, c.event, f.node_key, f.customer_id as former_id, n.component_key
    from changes as c
    inner join former_members as f on f.customer_id = c.former_current_id
    inner join components as n on n.node_key = f.node_key and n.component_key = c.component_key
    where c.event = 'merged'

    union all

    select c.customer_id, c.event, n.node_key, f.customer_id as former_id, n.component_key
    from changes as c
    inner join components as n on n.component_key = c.component_key
    inner join former_members as f on f.node_key = n.node_key
    where c.event in ('split', 'restored')
),

directed as (
    select node_a as node_key, node_b as other_key, * from edges
    union all
    select node_b as node_key, node_a as other_key, * from edges
),

causes as (
    select
        m.customer_id,
        d.node_a,
        d.node_b,
        d.source_system,
        coalesce(d.reason, x.reason, d.rule) as rule,
        row_number() over (
            partition by m.customer_id
            order by
                case when d.reason is null and x.node_a is null then 0 else 1 end asc nulls last,
                case when d.rule = 'must' then 0 else 1 end asc nulls last,
                d.kind asc nulls last,
                d.record_count desc nulls last,
                d.node_a asc nulls last,
                d.node_b asc nulls last,
                d.source_system asc nulls last,
                d.rule asc nulls last
        ) as place
    from moved_nodes as m
    inner join directed as d on d.node_key = m.node_key
    inner join components as o on o.node_key = d.other_key
    left join former_anchors as f on f.node_key = d.other_key
    left join cut as x on x.node_a = d.node_a and x.node_b = d.node_b
    where
        (
            m.event = 'merged' and d.reason is null and x.node_a is null
            and o.component_key = m.component_key and f.customer_id is distinct from m.former_id
        )
        or (
            (d.reason is not null or x.node_a is not null)
            and o.component_key <> m.component_key and f.customer_id = m.former_id
        )
),

final as (
    select
        h.customer_id,
        h.current_customer_id,
        h.event,
        h.valid_from,
        coalesce(h.valid_to, case when c.customer_id is not null then {{ this_run_at() }} end) as valid_to,
        h.run_id,
        h.anchor_key,
        h.is_anonymous,
        h.born_at,
        h.caused_by_node_a,
        h.caused_by_node_b,
        h.caused_by_rule,
        h.caused_by_source
    from history as h
    left join changes as c on c.customer_id = h.customer_id and h.valid_to is null

    union all

    select
        c.customer_id,
        c.current_customer_id,
        c.event,
        {{ this_run_at() }} as valid_from,
        cast(null as timestamp) as valid_to,
        {{ this_run_id() }} as run_id,
        c.anchor_key,
        c.is_anonymous,
        c.born_at,
        x.node_a as caused_by_node_a,
        x.node_b as caused_by_node_b,
        coalesce(x.rule, case when c.event <> 'born' then 'evidence_gone' end) as caused_by_rule,
        x.source_system as caused_by_source
    from changes as c
    left join causes as x on x.customer_id = c.customer_id and x.place = 1
)

select * from final
