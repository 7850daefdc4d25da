-- One row per customer: how far what was joined in it is to be trusted, from 0 to 1, and what that rests on.
--
-- confidence = (1 - (1 - weakest link) x 0.9 ^ further kinds of evidence) x 0.85 ^ conflicts. A kind is a rule of one source; four
-- further ones count at most. A conflict is a refused link that speaks against the customer (a limit, a cannot-link, an unbinding,
-- a value that too many share), or a type of which it holds as many values as it may; ten count at most.
-- Nothing joined, nothing wrong: a customer without links is `single`, and only conflicts lower its rate.
-- All factors are rows of the seed identity_quality_rule.
with

factors as (
    select
        max(case when part = 'kind' then amount end) as kind_factor,
        max(case when part = 'conflict' then amount end) as conflict_factor,
        max(case when part = 'level' and code = 'high' then amount end) as high_from,
        max(case when part = 'level' and code = 'medium' then amount end) as medium_from
    from {{ ref('identity_quality_rule') }}
),

components as (
    select node_key, component_key from {{ ref('int_identity__components') }}
),

refusals as (
    select distinct node_a, node_b
    from {{ ref('int_identity__rejected_edges') }}
    where
        kind = 'strong'
        and (reason in ('cannot', 'cannot_link', 'never', 'unbound', 'too_many_accounts', 'degree_cap') or reason like 'limit:%')
),

refused as (
    select c.component_key, r.node_a, r.node_b
    from refusals as r
    inner join components as c on c.node_key = r.node_a
    union
    select c.component_key, r.node_a, r.node_b
    from refusals as r
    inner join components as c on c.node_key = r.node_b
),

holdings as (
    select c.component_key, i.id_type, i.id_scope, count(distinct i.id_value) as value_count
    from components as c
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = c.node_key
    group by c.component_key, i.id_type, i.id_scope
),

filled as (
    select h.component_key
    from holdings as h
    inner join {{ ref('id_type_rule') }} as t on t.id_type = h.id_type
    where t.max_values_per_customer > 1 and h.value_count >= t.max_values_per_customer
),

conflicts as (
    select component_key, count(*) as conflict_count
    from (
        select component_key from refused
        union all
        select component_key from filled
    ) as found
    group by component_key
),

rated as (
    select
        i.customer_id,
        f.high_from,
        f.medium_from,
        w.weakest_link_rate,
        w.weakest_rule,
        w.weakest_priority,
        coalesce(w.source_count, 0) as evidence_source_count,
        coalesce(w.rule_count, 0) as evidence_rule_count,
        coalesce(c.conflict_count, 0) as conflict_count,
        cast(
            (1 - coalesce(
                (1 - cast(w.weakest_link_rate as double))
                * power(cast(f.kind_factor as double), least(w.kind_count - 1, 4)), 0
            ))
            * power(cast(f.conflict_factor as double), least(coalesce(c.conflict_count, 0), 10)) as decimal(18, 6)
        ) as confidence_rate
    from {{ ref('int_identity__customer_ids') }} as i
    cross join factors as f
    left join {{ ref('int_identity__weakest_links') }} as w on w.component_key = i.component_key
    left join conflicts as c on c.component_key = i.component_key
),

final as (
    select
        customer_id,
        confidence_rate,
        case
            when weakest_rule is null then 'single'
            when confidence_rate >= high_from then 'high'
            when confidence_rate >= medium_from then 'medium'
            else 'low'
        end as confidence_level,
        weakest_link_rate,
        weakest_rule,
        weakest_priority,
        evidence_source_count,
        evidence_rule_count,
        cast(conflict_count as bigint) as conflict_count
    from rated
)

select * from final
