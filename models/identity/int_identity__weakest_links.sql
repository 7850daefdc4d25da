-- One row per component that links join: its weakest link, and how many kinds of evidence hold it together.
--
-- link = (best rule that shows it) x (its weaker end) x (0.9 if one single order, event or the like shows it). Every identifier
-- hangs on by its best link, and so does every account with what was seen mostly with it: what only a worse link holds could be
-- somebody else's. The worst of these best links is the weakest; so further evidence between the same identifiers never weakens
-- a customer. A cookie or device follows a known person and joins nobody, so only anonymous components are judged by theirs.
-- All factors are rows of the seed identity_quality_rule.
with

rules as (
    select part, code, amount from {{ ref('identity_quality_rule') }}
),

factors as (
    select
        max(case when part = 'link' and code = 'record' then amount end) as record_factor,
        max(case when part = 'seen' then amount end) as once_factor
    from rules
),

nodes as (
    select distinct c.node_key, c.component_key, c.membership, i.is_account, i.strength, i.priority
    from {{ ref('int_identity__components') }} as c
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = c.node_key
),

evidence as (
    select
        a.component_key,
        e.node_a,
        e.node_b,
        e.source_system,
        e.rule,
        e.record_count,
        greatest(a.priority, b.priority) as priority,
        case when a.priority > b.priority then a.strength else b.strength end as strength,
        -- The account of a link between an account and an identifier.
        case when a.is_account and not b.is_account then e.node_a when b.is_account and not a.is_account then e.node_b end as account_key
    from {{ ref('int_identity__judged_edges') }} as e
    inner join nodes as a on a.node_key = e.node_a
    inner join nodes as b on b.node_key = e.node_b and b.component_key = a.component_key
    where e.reason is null and (e.kind = 'strong' or a.membership = 'anonymous')
),

-- Rate and rank among types in one number, so that plain maxima find the best link and the priority can be read from it again.
links as (
    select
        e.component_key,
        e.node_a,
        e.node_b,
        min(e.account_key) as account_key,
        sum(e.record_count) as record_count,
        substr(max(cast(cast(coalesce(r.amount, f.record_factor) as decimal(9, 6)) as string) || ' ' || e.rule), 10) as rule,
        cast(
            round(
                greatest(
                    coalesce(max(r.amount), 0),
                    case
                        when sum(case when r.code is null then e.record_count else 0 end) > 1 then min(f.record_factor)
                        when max(case when r.code is null then 1 else 0 end) = 1 then min(f.record_factor * f.once_factor)
                        else 0
                    end
                )
                * min(s.amount) * 1000000
            ) as bigint
        ) * 1000 + 999 - min(e.priority) as link_score
    from evidence as e
    cross join factors as f
    inner join rules as s on s.part = 'end' and s.code = e.strength
    left join rules as r on r.part = 'link' and r.code = e.rule
    group by e.component_key, e.node_a, e.node_b
),

homes as (
    select node_key, account_key
    from (
        select
            case when account_key = node_a then node_b else node_a end as node_key,
            account_key,
            row_number() over (
                partition by case when account_key = node_a then node_b else node_a end
                order by record_count desc nulls last, link_score desc nulls last, account_key asc nulls last
            ) as account_rank
        from links
        where account_key is not null
    ) as ranked
    where account_rank = 1
),

directed as (
    select component_key, link_score, node_a as node_key, node_b as other_key from links
    union all
    select component_key, link_score, node_b as node_key, node_a as other_key from links
),

placed as (
    select
        d.component_key,
        d.link_score,
        d.node_key,
        coalesce(h.account_key, d.node_key) as home_key,
        coalesce(o.account_key, d.other_key) as other_home_key
    from directed as d
    left join homes as h on h.node_key = d.node_key
    left join homes as o on o.node_key = d.other_key
),

weakest as (
    select component_key, min(link_score) as link_score
    from (
        select component_key, max(link_score) as link_score from placed group by component_key, node_key
        union all
        select component_key, max(link_score) as link_score from placed where home_key <> other_home_key group by component_key, home_key
    ) as best
    group by component_key
),

weakest_rules as (
    select w.component_key, min(w.link_score) as link_score, min(l.rule) as rule
    from weakest as w
    inner join links as l on l.component_key = w.component_key and l.link_score = w.link_score
    group by w.component_key
),

kinds as (
    select component_key, count(*) as kind_count, count(distinct source_system) as source_count, count(distinct rule) as rule_count
    from (select distinct component_key, source_system, rule from evidence) as distinct_kinds
    group by component_key
),

final as (
    select
        w.component_key,
        w.rule as weakest_rule,
        cast(999 - w.link_score % 1000 as bigint) as weakest_priority,
        cast(cast(floor(w.link_score / 1000) as decimal(18, 6)) / 1000000 as decimal(18, 6)) as weakest_link_rate,
        cast(k.kind_count as bigint) as kind_count,
        cast(k.source_count as bigint) as source_count,
        cast(k.rule_count as bigint) as rule_count
    from weakest_rules as w
    inner join kinds as k on k.component_key = w.component_key
)

select * from final
