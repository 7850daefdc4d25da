-- One row per sighting and moment of its records, for sightings of values that may have moved between two of these: unbound
-- ones, and ones whose type expires within the sighting. Every other sighting is well enough described by its first and last moment.
with

observations as (
    select sighting_key, value_key, id_type, first_seen_at, last_seen_at
    from {{ ref('int_identity__observations') }}
    where last_seen_at > first_seen_at and id_type <> 'account'
),

unbound as (
    select left_key as value_key from {{ ref('int_identity__statements') }} where action = 'unbind'
    union
    select right_key as value_key from {{ ref('int_identity__statements') }} where action = 'unbind'
),

moving as (
    select distinct o.sighting_key
    from observations as o
    left join {{ ref('id_type_rule') }} as r on r.id_type = o.id_type
    left join unbound as u on u.value_key = o.value_key
    where u.value_key is not null or o.last_seen_at > {{ seconds_later('o.first_seen_at', 'r.ttl_days * 86400') }}
),

sets as (
    select
        s.sighting_key,
        s.entity,
        s.source_system,
        coalesce(s.account_ref, '') as account_ref,
        s.ids
    from {{ ref('int_identity__sightings') }} as s
    inner join moving as m on m.sighting_key = s.sighting_key
),

moments as (
    {% for entity, columns in person_columns().items() if columns.ids -%}
    select
        s.sighting_key,
        {{ seen_at('r', entity) }} as seen_at
    from {{ ref('unified_' ~ (columns.relation or entity)) }} as r
    inner join sets as s
        on s.entity = '{{ entity }}'
        and s.source_system = r.source_system
        and s.account_ref = coalesce(r.{{ columns.account_ref }}, '')
        and s.ids = r.{{ columns.ids }}
    where not r.is_deleted
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}
),

final as (
    select
        sighting_key,
        seen_at,
        cast(count(*) as bigint) as record_count
    from moments
    where seen_at is not null
    group by sighting_key, seen_at
)

select * from final
