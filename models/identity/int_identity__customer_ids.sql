-- One row per component, with the customer id that it gets. Of several ids that it holds the one issued first survives, so that a
-- merge keeps the oldest and a split gives the other part its former id back. Only a component without any id gets a new one: a
-- hash of its anchor, the oldest account or identifier that may key a person.
with

components as (
    select node_key, component_key, membership from {{ ref('int_identity__components') }}
),

identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

holders as (
    select * from {{ ref('int_identity__id_holders') }} where component_key is not null
),

sizes as (
    select
        n.component_key,
        max(case when n.membership = 'anonymous' then 1 else 0 end) = 1 as is_anonymous,
        min(i.first_seen_at) as first_seen_at,
        max(i.last_seen_at) as last_seen_at,
        cast(count(distinct case when i.is_account then i.value_key end) as bigint) as account_count,
        cast(count(distinct case when not i.is_account then i.value_key end) as bigint) as identifier_count
    from components as n
    inner join identifiers as i on i.node_key = n.node_key
    group by n.component_key
),

-- The id of an anonymous visitor ends where a known person begins.
survivors as (
    select
        h.component_key,
        h.customer_id,
        h.anchor_key,
        h.born_at,
        row_number() over (
            partition by h.component_key
            order by
                h.is_homeless asc nulls last,
                h.issued_at asc nulls last,
                h.born_at asc nulls last,
                h.customer_id asc nulls last
        ) as place
    from holders as h
    inner join sizes as s on s.component_key = h.component_key
    where s.is_anonymous or not h.is_anonymous
),

newborn as (
    select
        c.component_key,
        i.node_key as anchor_key,
        i.first_seen_at as born_at,
        i.id_type,
        i.id_scope,
        i.id_value,
        -- The later period of a value that moved is somebody else.
        case when i.node_key <> i.value_key then cast(i.valid_from as string) end as period,
        row_number() over (
            partition by c.component_key
            order by
                i.may_key desc nulls last,
                i.first_seen_at asc nulls last,
                i.priority asc nulls last,
                i.id_value asc nulls last,
                i.id_type asc nulls last,
                i.id_scope asc nulls last,
                i.node_key asc nulls last
        ) as place
    from components as c
    inner join identifiers as i on i.node_key = c.node_key
    left join survivors as s on s.component_key = c.component_key
    where s.component_key is null
),

final as (
    select
        z.component_key,
        coalesce(
            s.customer_id,
            'c_' || substr(md5(concat_ws('|', n.id_type, n.id_scope, n.id_value, n.period)), 1, 24)
        ) as customer_id,
        coalesce(s.anchor_key, n.anchor_key) as anchor_key,
        coalesce(s.born_at, n.born_at) as born_at,
        s.customer_id is null as is_new,
        z.is_anonymous,
        z.first_seen_at,
        z.last_seen_at,
        z.account_count,
        z.identifier_count
    from sizes as z
    left join survivors as s on s.component_key = z.component_key and s.place = 1
    left join newborn as n on n.component_key = z.component_key and n.place = 1
)

select * from final
