-- One row per sighting and node that it names: the value's period in which the sighting falls, or each of them when it spans
-- several, with the sighting's own time cut to that period.
with

observations as (
    select * from {{ ref('int_identity__observations') }}
),

periods as (
    select value_key, node_key, valid_from, valid_to from {{ ref('int_identity__value_periods') }}
),

final as (
    select
        o.sighting_key,
        coalesce(p.node_key, o.value_key) as node_key,
        o.value_key,
        o.id_type,
        o.id_scope,
        o.id_value,
        o.flag,
        p.valid_from,
        p.valid_to,
        case when p.valid_from > o.first_seen_at then p.valid_from else o.first_seen_at end as first_seen_at,
        case when p.valid_to < o.last_seen_at then p.valid_to else o.last_seen_at end as last_seen_at,
        o.record_count,
        o.member_number,
        o.member_count
    from observations as o
    left join periods as p
        on
            p.value_key = o.value_key
            and coalesce(o.first_seen_at, {{ beginning_of_time() }}) < coalesce(p.valid_to, {{ end_of_time() }})
            and coalesce(o.last_seen_at, {{ beginning_of_time() }}) >= p.valid_from
)

select * from final
