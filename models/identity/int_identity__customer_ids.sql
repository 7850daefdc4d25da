-- One row per component, with the customer id that it gets. The only place where ids are made: a hash of the component's
-- anchor, its oldest account or identifier that may key a person, so that neither the order of rows nor a rerun moves an id.
with

components as (
    select node_key, component_key, membership from {{ ref('int_identity__components') }}
),

identifiers as (
    select node_key, id_type, id_scope, id_value, is_account, priority, may_key, first_seen_at, last_seen_at
    from {{ ref('int_identity__identifiers') }}
),

ranked as (
    select
        c.component_key,
        c.membership,
        i.*,
        row_number() over (
            partition by c.component_key
            order by
                i.may_key desc nulls last,
                i.first_seen_at asc nulls last,
                i.priority asc nulls last,
                i.id_value asc nulls last,
                i.id_type asc nulls last,
                i.id_scope asc nulls last
        ) as anchor_rank
    from components as c
    inner join identifiers as i on i.node_key = c.node_key
),

final as (
    select
        component_key,
        max(case when anchor_rank = 1 then 'c_' || substr(md5(concat_ws('|', id_type, id_scope, id_value)), 1, 24) end) as customer_id,
        max(case when anchor_rank = 1 then node_key end) as anchor_key,
        max(case when membership = 'anonymous' then 1 else 0 end) = 1 as is_anonymous,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        cast(sum(case when is_account then 1 else 0 end) as bigint) as account_count,
        cast(sum(case when is_account then 0 else 1 end) as bigint) as identifier_count
    from ranked
    group by component_key
)

select * from final
