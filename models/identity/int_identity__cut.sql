-- One row per link of a component that breaks a limit: whether it still joins its two ends, or the reason for which it is cut.
-- Links are gone through from the surest to the weakest: manual ones, then by the weaker end's type, then by number of records.
-- depends_on: {{ ref('int_identity__apart') }}
{{ config(materialized='constrained_union', meta={'values': 'int_identity__contested', 'apart': 'int_identity__apart'}) }}
with

links as (
    select l.node_a, l.node_b, l.is_must, l.weaker_priority, l.record_count
    from {{ ref('int_identity__links') }} as l
    inner join {{ ref('int_identity__contested') }} as c on c.node_key = l.node_a
),

final as (
    select
        node_a,
        node_b,
        is_must,
        row_number() over (
            order by
                is_must desc nulls last,
                weaker_priority asc nulls last,
                record_count desc nulls last,
                node_a asc nulls last,
                node_b asc nulls last
        ) as edge_order
    from links
)

select * from final
