-- One row per weak identifier that several persons use, person and moment at which a record or a login names both. Only for
-- shared ones: who uses a device alone needs no moment, and the records are read once more for this.
with

shared as (
    select node_key, component_key from {{ ref('int_identity__weak_meetings') }} where meeting = 'shared'
),

observations as (
    select sighting_key, node_key from {{ ref('int_identity__node_observations') }}
),

named as (
    select distinct
        s.node_key,
        s.component_key,
        o.sighting_key
    from shared as s
    inner join observations as o on o.node_key = s.node_key
    inner join observations as p on p.sighting_key = o.sighting_key
    inner join {{ ref('int_identity__strong_components') }} as c
        on c.node_key = p.node_key and c.component_key = s.component_key
),

sets as (
    select n.node_key, n.component_key, s.entity, s.source_system, coalesce(s.account_ref, '') as account_ref, coalesce(s.ids, '') as ids
    from named as n
    inner join {{ ref('int_identity__sightings') }} as s on s.sighting_key = n.sighting_key
),

told as (
    {% for end, other in [('node_a', 'node_b'), ('node_b', 'node_a')] -%}
    select
        {{ end }} as node_key,
        {{ other }} as other_key,
        source_system,
        action,
        left_type,
        left_scope,
        left_value,
        right_type,
        right_scope,
        right_value
    from {{ ref('int_identity__node_statements') }}
    where action in ('bind', 'login')
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor -%}
),

moments as (
    {% for entity, columns in person_columns().items() if columns.ids -%}
    select
        s.node_key,
        s.component_key,
        {{ seen_at('r', entity) }} as login_at
    from {{ ref('unified_' ~ (columns.relation or entity)) }} as r
    inner join sets as s
        on s.entity = '{{ entity }}'
        and s.source_system = r.source_system
        and s.account_ref = coalesce(r.{{ columns.account_ref }}, '')
        and s.ids = coalesce(r.{{ columns.ids }}, '')
    where not r.is_deleted

    union all

    {% endfor -%}
    select
        s.node_key,
        s.component_key,
        r.link_at as login_at
    from shared as s
    inner join told as e on s.node_key = e.node_key
    inner join {{ ref('int_identity__strong_components') }} as c
        on c.node_key = e.other_key and c.component_key = s.component_key
    inner join {{ ref('unified_identity_link') }} as r
        on r.source_system = e.source_system
        and r.action = e.action
        and r.left_type = e.left_type
        and coalesce(r.left_scope, '') = e.left_scope
        and r.left_value = e.left_value
        and r.right_type = e.right_type
        and coalesce(r.right_scope, '') = e.right_scope
        and r.right_value = e.right_value
    where not r.is_deleted
),

final as (
    select distinct m.node_key, m.component_key, m.login_at
    from moments as m
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = m.node_key
    -- Before and after its period a value that moved is another node.
    where m.login_at >= i.valid_from and m.login_at < coalesce(i.valid_to, {{ end_of_time() }})
)

select * from final
