-- One row per node that stands for somebody and period in which it does, with the customer.
-- depends_on: {{ ref('identity_id_history') }} (it reads this table as the last run left it)
with

components as (
    select node_key, valid_from, valid_to, component_key, membership from {{ ref('int_identity__components') }}
),

customer_ids as (
    select component_key, customer_id, is_anonymous from {{ ref('int_identity__customer_ids') }}
),

final as (
    select
        n.node_key,
        n.valid_from,
        n.valid_to,
        c.customer_id,
        n.component_key,
        n.membership,
        c.is_anonymous
    from components as n
    inner join customer_ids as c on c.component_key = n.component_key
)

select * from final
