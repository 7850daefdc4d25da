-- One row per identifier or account (type `account`, scope the source system) and the period in which it stands for a customer.
-- Identifiers that stand for nobody (listed, masked, crowded) are not here; int_identity__rejected_edges says why.
with

members as (
    select node_key, component_key, membership from {{ ref('int_identity__components') }}
),

final as (
    select
        i.id_type,
        i.id_scope,
        i.id_value,
        c.customer_id,
        cast('1900-01-01 00:00:00' as timestamp) as valid_from,
        cast(null as timestamp) as valid_to,
        m.membership as rule,
        i.first_seen_at,
        i.last_seen_at,
        i.record_count
    from members as m
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = m.node_key
    inner join {{ ref('int_identity__customer_ids') }} as c on c.component_key = m.component_key
)

select * from final
