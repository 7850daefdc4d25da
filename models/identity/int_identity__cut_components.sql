-- One row per node of a component that broke a limit, with the part it belongs to after the cut.
with

final as (
    select node_a, node_b from {{ ref('int_identity__cut') }} where is_joined

    union all

    select
        node_key as node_a,
        node_key as node_b
    from {{ ref('int_identity__contested') }}
)

select * from final
