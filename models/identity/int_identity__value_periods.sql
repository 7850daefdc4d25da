-- One row per value that moved from one person to another, and period in which it is a node of its own. A value moves when a
-- source unbinds it (of the two ends the weaker one moves), or when it is seen again after a silence longer than its type's time
-- to live. Every other value is one node for all time, and has no row here.
with

statements as (
    select action, left_key, left_type, right_key, right_type, first_stated_at, last_stated_at
    from {{ ref('int_identity__statements') }}
),

rules as (
    select id_type, priority, ttl_days from {{ ref('id_type_rule') }}
),

ended as (
    select
        s.first_stated_at,
        s.last_stated_at,
        case
            when s.left_type = 'account' then s.right_key
            when s.right_type = 'account' then s.left_key
            when coalesce(l.priority, 999) > coalesce(r.priority, 999) then s.left_key
            else s.right_key
        end as value_key
    from statements as s
    left join rules as l on l.id_type = s.left_type
    left join rules as r on r.id_type = s.right_type
    where s.action = 'unbind'
),

seen as (
    select
        o.sighting_key,
        o.value_key,
        o.id_type,
        coalesce(m.seen_at, o.first_seen_at) as first_seen_at,
        coalesce(m.seen_at, o.last_seen_at) as last_seen_at
    from {{ ref('int_identity__observations') }} as o
    left join {{ ref('int_identity__record_moments') }} as m on m.sighting_key = o.sighting_key
),

spells as (
    select
        o.value_key,
        r.ttl_days,
        o.first_seen_at,
        max(o.last_seen_at) over (
            partition by o.value_key
            order by o.first_seen_at asc nulls first, o.last_seen_at asc nulls first, o.sighting_key asc nulls first
            rows between unbounded preceding and 1 preceding
        ) as seen_before_at
    from seen as o
    inner join rules as r on r.id_type = o.id_type and r.ttl_days is not null
),

moments as (
    select
        value_key,
        first_stated_at as moved_at
    from ended
    union
    select
        value_key,
        last_stated_at as moved_at
    from ended
    union
    select
        value_key,
        {{ seconds_later('seen_before_at', 'ttl_days * 86400') }} as moved_at
    from spells
    where first_seen_at > {{ seconds_later('seen_before_at', 'ttl_days * 86400') }}
),

starts as (
    select
        value_key,
        moved_at as valid_from
    from moments
    where moved_at is not null
    union
    select
        value_key,
        {{ beginning_of_time() }} as valid_from
    from moments
    where moved_at is not null
),

final as (
    select
        value_key,
        -- The first period keeps the value's own key, so that a value that moves later does not change whose it was.
        case
            when valid_from = {{ beginning_of_time() }} then value_key
            else {{ node_key("concat_ws('|', cast(value_key as string), cast(valid_from as string))") }}
        end as node_key,
        valid_from,
        lead(valid_from) over (partition by value_key order by valid_from asc nulls last) as valid_to
    from starts
)

select * from final
