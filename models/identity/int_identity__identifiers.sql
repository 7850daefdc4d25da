-- One row per node of the identity graph: an account or an identifier, in one period of its value, with its rule and why it may
-- link nobody. A blocked value (placeholder, masked number, role mailbox, switchboard, listed) is nobody's: it never makes a customer.
with

statements as (
    select * from {{ ref('int_identity__node_statements') }}
),

rules as (
    select * from {{ ref('id_type_rule') }}
),

blocklist as (
    select distinct id_type, coalesce(id_scope, '') as id_scope, id_value from {{ source('rules', 'blocklist') }}
),

seen as (
    select
        node_key,
        value_key,
        id_type,
        id_scope,
        id_value,
        flag,
        valid_from,
        valid_to,
        first_seen_at,
        last_seen_at,
        record_count
    from {{ ref('int_identity__node_observations') }}

    {% for side in ['left', 'right'] -%}
    union all

    select
        {{ side }}_node as node_key,
        {{ side }}_key as value_key,
        {{ side }}_type as id_type,
        {{ side }}_scope as id_scope,
        {{ side }}_value as id_value,
        cast(null as string) as flag,
        {{ side }}_from as valid_from,
        {{ side }}_to as valid_to,
        first_stated_at as first_seen_at,
        last_stated_at as last_seen_at,
        statement_count as record_count
    from statements
    {% endfor %}
),

nodes as (
    select
        node_key,
        min(value_key) as value_key,
        min(id_type) as id_type,
        min(id_scope) as id_scope,
        min(id_value) as id_value,
        max(flag) as flag,
        coalesce(min(valid_from), {{ beginning_of_time() }}) as valid_from,
        max(valid_to) as valid_to,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        cast(sum(record_count) as bigint) as record_count
    from seen
    group by node_key
),

final as (
    select
        n.node_key,
        n.value_key,
        n.id_type,
        n.id_scope,
        n.id_value,
        n.valid_from,
        n.valid_to,
        n.first_seen_at,
        n.last_seen_at,
        n.record_count,
        n.id_type = 'account' as is_account,
        case when n.id_type = 'account' then 'strong' else coalesce(r.strength, 'none') end as strength,
        case when n.id_type = 'account' then 0 else coalesce(r.priority, 999) end as priority,
        n.id_type = 'account' or coalesce(r.may_key, false) as may_key,
        r.max_customers_per_value,
        r.max_values_per_customer,
        r.shared_to_exceed,
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
