-- One row per pair of accounts that the second pass found probable: how much so, its band, and whether the two are one customer.
with

customers as (
    select
        i.id_scope as source_system,
        i.id_value as source_record_id,
        n.customer_id
    from {{ ref('int_identity__identifiers') }} as i
    inner join {{ ref('int_identity__components') }} as c on c.node_key = i.node_key
    inner join {{ ref('int_identity__customer_ids') }} as n on n.component_key = c.component_key
    where i.is_account
),

final as (
    select
        p.left_scope as source_system,
        p.left_token as source_record_id,
        l.customer_id,
        p.right_scope as other_source_system,
        p.right_token as other_source_record_id,
        r.customer_id as other_customer_id,
        coalesce(l.customer_id = r.customer_id, false) as is_one_customer,
        p.probability as match_rate,
        p.match_weight,
        p.agrees_on,
        p.band,
        p.reason,
        p.model_id
    from {{ source('rules', 'probable_link') }} as p
    left join customers as l on l.source_system = p.left_scope and l.source_record_id = p.left_token
    left join customers as r on r.source_system = p.right_scope and r.source_record_id = p.right_token
)

select * from final
