-- One row per node that stands for somebody, with its component: strong ones, weak ones attached to them, anonymous ones.
with

nodes as (
    select
        node_key,
        component_key,
        'strong' as membership
    from {{ ref('int_identity__strong_components') }}

    union all

    select
        node_key,
        component_key,
        'attached' as membership
    from {{ ref('int_identity__weak_links') }}
    where outcome = 'attached'

    union all

    select
        node_key,
        component_key,
        'anonymous' as membership
    from {{ ref('int_identity__weak_components') }}
),

final as (
    select node_key, component_key, membership from nodes
)

select * from final
