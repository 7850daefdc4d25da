-- One row per node that too many people share: more accounts of one source system than its type allows, or more distinct
-- strong neighbours than the degree cap. Accounts are counted within a source system, because one person with an account
-- in each of six systems is what stitching is for; a type whose limit is one customer merges whatever carries it.
with

identifiers as (
    select node_key, is_account, id_scope, strength, max_customers_per_value
    from {{ ref('int_identity__identifiers') }}
    where blocked_reason is null
),

edges as (
    select distinct node_a, node_b from {{ ref('int_identity__edges') }} where rule not in ('must', 'probabilistic')
),

directed as (
    select node_a as node_key, node_b as neighbour_key from edges
    union all
    select node_b as node_key, node_a as neighbour_key from edges
),

strong_neighbours as (
    select
        d.node_key,
        n.is_account,
        n.id_scope,
        count(*) as neighbour_count
    from directed as d
    inner join identifiers as n on n.node_key = d.neighbour_key and n.strength = 'strong'
    group by d.node_key, n.is_account, n.id_scope
),

counted as (
    select
        node_key,
        sum(neighbour_count) as neighbour_count,
        max(case when is_account then neighbour_count else 0 end) as account_count
    from strong_neighbours
    group by node_key
),

final as (
    select
        i.node_key,
        case
            when i.strength <> 'weak' and i.max_customers_per_value > 1 and c.account_count > i.max_customers_per_value
                then 'too_many_accounts'
            else 'degree_cap'
        end as crowded_reason,
        cast(c.neighbour_count as bigint) as neighbour_count,
        cast(c.account_count as bigint) as account_count
    from counted as c
    inner join identifiers as i on i.node_key = c.node_key
    where
        c.neighbour_count > {{ setting('identity_degree_cap') }}
        or (i.strength <> 'weak' and i.max_customers_per_value > 1 and c.account_count > i.max_customers_per_value)
)

select * from final
