-- One row per sighting and node that it names: the value's period in which the sighting falls, or each of those in which it has a
-- record, with the time and number of these.
with

observations as (
    select * from {{ ref('int_identity__observations') }}
),

periods as (
    select value_key, node_key, valid_from, valid_to from {{ ref('int_identity__value_periods') }}
),

-- A sighting is evidence in the periods in which it has a record, not in those between them.
placed as (
    select
        o.sighting_key,
        p.value_key,
        p.node_key,
        p.valid_from,
        p.valid_to,
        -- Where only its first and last record are known, its time is cut to the period.
        min(case when m.seen_at is null and p.valid_from > o.first_seen_at then p.valid_from else coalesce(m.seen_at, o.first_seen_at) end)
            as first_seen_at,
        max(case when m.seen_at is null and p.valid_to < o.last_seen_at then p.valid_to else coalesce(m.seen_at, o.last_seen_at) end)
            as last_seen_at,
        cast(sum(coalesce(m.record_count, o.record_count)) as bigint) as record_count
    from observations as o
    inner join periods as p on p.value_key = o.value_key
    left join {{ ref('int_identity__record_moments') }} as m on m.sighting_key = o.sighting_key
    where
        coalesce(m.seen_at, o.first_seen_at, {{ beginning_of_time() }}) < coalesce(p.valid_to, {{ end_of_time() }})
        and coalesce(m.seen_at, o.last_seen_at, {{ beginning_of_time() }}) >= p.valid_from
    group by o.sighting_key, p.value_key, p.node_key, p.valid_from, p.valid_to
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
        case when p.node_key is null then o.first_seen_at else p.first_seen_at end as first_seen_at,
        case when p.node_key is null then o.last_seen_at else p.last_seen_at end as last_seen_at,
        coalesce(p.record_count, o.record_count) as record_count,
        o.member_number,
        o.member_count
    from observations as o
    left join placed as p on p.sighting_key = o.sighting_key and p.value_key = o.value_key
)

select * from final
