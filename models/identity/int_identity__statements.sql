-- One row per statement about two identifiers: what a source says (bind, login, unbind, never), what a person ordered
-- (must, cannot), and what the second pass found probable where the setting identity_probabilistic is on.
-- A manual rule counts from valid_from until valid_to, looked at from the newest record that identifies anybody.
with

newest as (
    select coalesce(cast({{ local_day('max(last_seen_at)') }} as string), '9999-12-31') as today
    from {{ ref('int_identity__sightings') }}
),

{% if setting('identity_probabilistic') -%}
accounts as (
    select distinct account_system, account_id from {{ ref('int_identity__sightings') }} where account_id is not null
),

{% endif -%}
stated as (
    select
        source_system,
        action,
        left_type,
        coalesce(left_scope, '') as left_scope,
        left_value,
        right_type,
        coalesce(right_scope, '') as right_scope,
        right_value,
        link_at as stated_at
    from {{ ref('unified_identity_link') }}
    where not is_deleted and action in ('bind', 'login', 'unbind', 'never')

    union all

    select
        'manual' as source_system,
        m.action,
        m.left_type,
        coalesce(m.left_scope, '') as left_scope,
        m.left_token as left_value,
        m.right_type,
        coalesce(m.right_scope, '') as right_scope,
        m.right_token as right_value,
        cast(null as timestamp) as stated_at
    from {{ source('rules', 'manual_link') }} as m
    cross join newest
    where
        m.action in ('must', 'cannot')
        and (coalesce(m.valid_from, '') = '' or substr(m.valid_from, 1, 10) <= newest.today)
        and (coalesce(m.valid_to, '') = '' or substr(m.valid_to, 1, 10) > newest.today)
    {%- if setting('identity_probabilistic') %}

    union all

    select
        'splink' as source_system,
        'probabilistic' as action,
        p.left_type,
        p.left_scope,
        p.left_token as left_value,
        p.right_type,
        p.right_scope,
        p.right_token as right_value,
        cast(null as timestamp) as stated_at
    from {{ source('rules', 'probable_link') }} as p
    -- The pass looked at an earlier build: an account that is gone since must not come back through it.
    inner join accounts as l on l.account_system = p.left_scope and l.account_id = p.left_token
    inner join accounts as r on r.account_system = p.right_scope and r.account_id = p.right_token
    where p.band = 'accept'
    {%- endif %}
),

keyed as (
    select
        *,
        {{ node_key("concat_ws('|', left_type, left_scope, left_value)") }} as left_key,
        {{ node_key("concat_ws('|', right_type, right_scope, right_value)") }} as right_key
    from stated
),

unbound as (
    select left_key as value_key from keyed where action = 'unbind'
    union
    select right_key as value_key from keyed where action = 'unbind'
),

-- A value that moved may come back: between two statements it was somebody else's, so each stands by itself.
timed as (
    select
        k.*,
        case when l.value_key is not null or r.value_key is not null then k.stated_at end as stands_at
    from keyed as k
    left join unbound as l on l.value_key = k.left_key
    left join unbound as r on r.value_key = k.right_key
),

final as (
    select
        least(left_key, right_key) as node_a,
        greatest(left_key, right_key) as node_b,
        source_system,
        action,
        left_key,
        left_type,
        left_scope,
        left_value,
        right_key,
        right_type,
        right_scope,
        right_value,
        min(stated_at) as first_stated_at,
        max(stated_at) as last_stated_at,
        cast(count(*) as bigint) as statement_count
    from timed
    where left_key <> right_key
    group by
        source_system, action, left_key, left_type, left_scope, left_value, right_key, right_type, right_scope, right_value,
        stands_at
)

select * from final
