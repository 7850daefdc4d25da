-- One row per sighting and value that it names: an identifier, or the account of the record. The first member is the strongest
-- one; a record with very many identifiers is tied to it instead of to all of them.
with

sightings as (
    select sighting_key, account_system, account_id, ids, first_seen_at, last_seen_at, record_count
    from {{ ref('int_identity__sightings') }}
),

rules as (
    select id_type, priority from {{ ref('id_type_rule') }}
),

members as (
    select
        sighting_key,
        id_type,
        coalesce(id_scope, '') as id_scope,
        id_value,
        flag
    from {{ explode_ids('sightings', ['sighting_key']) }}
    where id_type is not null and id_value is not null

    union all

    select
        sighting_key,
        'account' as id_type,
        account_system as id_scope,
        account_id as id_value,
        cast(null as string) as flag
    from sightings
    where account_id is not null
),

distinct_members as (
    select
        sighting_key,
        id_type,
        id_scope,
        id_value,
        max(flag) as flag
    from members
    group by sighting_key, id_type, id_scope, id_value
),

final as (
    select
        m.sighting_key,
        {{ node_key("concat_ws('|', m.id_type, m.id_scope, m.id_value)") }} as value_key,
        m.id_type,
        m.id_scope,
        m.id_value,
        m.flag,
        s.first_seen_at,
        s.last_seen_at,
        s.record_count,
        row_number() over (
            partition by m.sighting_key
            order by
                case when m.id_type = 'account' then 0 else coalesce(r.priority, 999) end asc nulls last,
                m.id_type asc nulls last,
                m.id_scope asc nulls last,
                m.id_value asc nulls last
        ) as member_number,
        count(*) over (partition by m.sighting_key) as member_count
    from distinct_members as m
    inner join sightings as s on s.sighting_key = m.sighting_key
    left join rules as r on r.id_type = m.id_type
)

select * from final
