-- One row per weak identifier that is an anonymous visitor's at least for a time, with the component it makes with others like it.
-- Only those that never belong to a known person tie each other.
with

links as (
    select
        node_key,
        max(case when component_key is not null then 1 else 0 end) as known_count,
        max(case when component_key is null then 1 else 0 end) as anonymous_count
    from {{ ref('int_identity__weak_links') }}
    group by node_key
),

crowded_out as (
    select distinct node_key from {{ ref('int_identity__weak_meetings') }} where meeting <> 'own'
),

free as (
    select l.node_key
    from links as l
    left join crowded_out as c on c.node_key = l.node_key
    where l.known_count = 0 and c.node_key is null
),

edges as (
    select distinct node_a, node_b
    from {{ ref('int_identity__judged_edges') }}
    where kind = 'weak_pair' and reason is null
),

final as (
    select e.node_a, e.node_b
    from edges as e
    inner join free as a on a.node_key = e.node_a
    inner join free as b on b.node_key = e.node_b

    union all

    select node_key as node_a, node_key as node_b from links where anonymous_count = 1
)

select * from final
