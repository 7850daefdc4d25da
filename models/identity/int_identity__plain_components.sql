-- One row per node that is a person's own: accounts, strong and medium identifiers, with the component that its links make
-- before any limit is looked at. A crowded account still stands for itself; a crowded identifier stands for nobody.
with

identifiers as (
    select node_key, is_account, strength from {{ ref('int_identity__identifiers') }} where blocked_reason is null
),

crowded as (
    select node_key from {{ ref('int_identity__crowded') }}
),

final as (
    select node_a, node_b from {{ ref('int_identity__links') }}

    union all

    select
        i.node_key as node_a,
        i.node_key as node_b
    from identifiers as i
    left join crowded as c on c.node_key = i.node_key
    where i.strength <> 'weak' and (i.is_account or c.node_key is null)
)

select * from final
