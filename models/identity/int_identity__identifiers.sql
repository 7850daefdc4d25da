-- One row per node of the identity graph, an account or an identifier, with its rule and why it may link nobody.
-- A blocked value (placeholder, masked number, role mailbox, switchboard, listed) is nobody's: it never makes a customer.
with

observations as (
    select sighting_key, node_key, id_type, id_scope, id_value, flag from {{ ref('int_identity__observations') }}
),

sightings as (
    select sighting_key, first_seen_at, last_seen_at, record_count from {{ ref('int_identity__sightings') }}
),

statements as (
    select * from {{ ref('int_identity__statements') }}
),

rules as (
    select id_type, strength, priority, may_key, link_mode, max_customers_per_value from {{ ref('id_type_rule') }}
),

blocklist as (
    select distinct id_type, coalesce(id_scope, '') as id_scope, id_value from {{ source('rules', 'blocklist') }}
),

seen as (
    select
        o.node_key,
        o.id_type,
        o.id_scope,
        o.id_value,
        o.flag,
        s.first_seen_at,
        s.last_seen_at,
        s.record_count
    from observations as o
    inner join sightings as s on s.sighting_key = o.sighting_key

    {% for side in ['left', 'right'] -%}
    union all

    select
        {{ side }}_key as node_key,
        {{ side }}_type as id_type,
        {{ side }}_scope as id_scope,
        {{ side }}_value as id_value,
        cast(null as string) as flag,
        first_stated_at as first_seen_at,
        last_stated_at as last_seen_at,
        statement_count as record_count
    from statements
    {% endfor %}
),

nodes as (
    select
        node_key,
        min(id_type) as id_type,
        min(id_scope) as id_scope,
        min(id_value) as id_value,
        max(flag) as flag,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        cast(sum(record_count) as bigint) as record_count
    from seen
    group by node_key
),

final as (
    select
        n.node_key,
        n.id_type,
        n.id_scope,
        n.id_value,
        n.first_seen_at,
        n.last_seen_at,
        n.record_count,
        n.id_type = 'account' as is_account,
        case when n.id_type = 'account' then 'strong' else coalesce(r.strength, 'none') end as strength,
        case when n.id_type = 'account' then 0 else coalesce(r.priority, 999) end as priority,
        n.id_type = 'account' or coalesce(r.may_key, false) as may_key,
        r.max_customers_per_value,
        case
            when n.id_type = 'account' then null
            when r.id_type is null then 'unknown_type'
            when r.strength = 'none' or r.link_mode = 'never' then 'never_links'
            when b.id_value is not null then 'blocklist'
            when n.flag is not null then n.flag
        end as blocked_reason
    from nodes as n
    left join rules as r on r.id_type = n.id_type
    left join blocklist as b
        on b.id_type = n.id_type and b.id_scope = n.id_scope and b.id_value = n.id_value
)

select * from final
