-- One row per component search, with how far it had to go and what it found.
with

searches as (
    select
        'strong' as search_name,
        node_key,
        component_key,
        rounds
    from {{ ref('int_identity__strong_components') }}

    union all

    select
        'anonymous' as search_name,
        node_key,
        component_key,
        rounds
    from {{ ref('int_identity__weak_components') }}
),

final as (
    select
        search_name,
        cast(max(rounds) as bigint) as rounds,
        cast(count(*) as bigint) as node_count,
        cast(count(distinct component_key) as bigint) as component_count
    from searches
    group by search_name
)

select * from final
