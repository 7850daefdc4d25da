-- One row per statement about two identifiers and the nodes that it speaks of. What a source saw (bind, login) holds in the
-- period in which it was seen, a manual `must` and what is only probable for the newest period, what separates (cannot, never) for all
-- of them. Of two values that moved only periods that meet were seen together.
with

statements as (
    select
        *,
        case
            when action in ('cannot', 'never') then {{ beginning_of_time() }}
            when action in ('must', 'probabilistic') then {{ end_of_time() }}
            else coalesce(first_stated_at, {{ beginning_of_time() }})
        end as holds_from,
        case
            when action in ('cannot', 'never', 'must', 'probabilistic') then {{ end_of_time() }}
            else coalesce(last_stated_at, {{ beginning_of_time() }})
        end as holds_to
    from {{ ref('int_identity__statements') }}
    where action <> 'unbind'
),

periods as (
    select
        value_key,
        node_key,
        valid_from,
        coalesce(valid_to, {{ end_of_time() }}) as ends_at,
        valid_to
    from {{ ref('int_identity__value_periods') }}
),

final as (
    select
        s.source_system,
        s.action,
        least(coalesce(l.node_key, s.left_key), coalesce(r.node_key, s.right_key)) as node_a,
        greatest(coalesce(l.node_key, s.left_key), coalesce(r.node_key, s.right_key)) as node_b,
        coalesce(l.node_key, s.left_key) as left_node,
        s.left_key,
        s.left_type,
        s.left_scope,
        s.left_value,
        l.valid_from as left_from,
        l.valid_to as left_to,
        coalesce(r.node_key, s.right_key) as right_node,
        s.right_key,
        s.right_type,
        s.right_scope,
        s.right_value,
        r.valid_from as right_from,
        r.valid_to as right_to,
        s.first_stated_at,
        s.last_stated_at,
        s.statement_count
    from statements as s
    left join periods as l
        on
            l.value_key = s.left_key
            and s.holds_to >= l.valid_from
            and (s.holds_from < l.ends_at or l.valid_to is null)
    left join periods as r
        on
            r.value_key = s.right_key
            and s.holds_to >= r.valid_from
            and (s.holds_from < r.ends_at or r.valid_to is null)
    where
        s.action in ('cannot', 'never')
        or coalesce(l.valid_from < r.ends_at and r.valid_from < l.ends_at, true)
)

select * from final
