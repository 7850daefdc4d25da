-- One row per identifier or account (type `account`, scope the source system) and the period in which it stands for a customer.
-- Identifiers that stand for nobody (listed, masked, crowded) are not here; int_identity__rejected_edges says why.
with

members as (
    select node_key, valid_from, valid_to, customer_id, membership from {{ ref('int_identity__members') }}
),

final as (
    select
        i.id_type,
        i.id_scope,
        i.id_value,
        m.customer_id,
        m.valid_from,
        m.valid_to,
        m.membership as rule,
        i.first_seen_at,
        i.last_seen_at,
        i.record_count
    from members as m
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = m.node_key
)

select * from final
