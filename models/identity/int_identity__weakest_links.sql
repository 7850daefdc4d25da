-- One row per component that links join: its weakest link, and how many kinds of evidence hold it together.
--
-- link = (best rule that shows it) x (its weaker end) x (0.9 if one single order, event or the like shows it). Every identifier
-- hangs on by its best link, and so does every account with what was seen mostly with it: what only a worse link holds could be
-- somebody else's. The worst of these best links is the weakest; so further evidence between the same identifiers never weakens
-- a customer. A cookie or device follows a known person and joins nobody, so only anonymous components are judged by theirs.
-- All factors are rows of the seed identity_quality_rule; here they are whole millionths, which is what makes this cheap.
with

rules as (
    select part, code, cast(round(amount * 1000000) as bigint) as millionths from {{ ref('identity_quality_rule') }}
),

factors as (
    select
        max(case when part = 'link' and code = 'record' then millionths end) as record_factor,
        max(case when part = 'seen' then millionths end) as once_factor
    from rules
),

members as (
    select node_key, component_key from {{ ref('int_identity__components') }} where membership = 'strong'
    union all
    -- A visitor's cookie has a row for each period.
    select distinct node_key, component_key from {{ ref('int_identity__components') }} where membership = 'anonymous'
),

-- Priority of the type and trust in it as one number, so that the larger one is the weaker end.
nodes as (
    select m.node_key, m.component_key, i.is_account, i.priority * 10000000 + e.millionths as end_score
    from members as m
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = m.node_key
    inner join rules as e on e.part = 'end' and e.code = i.strength
),

evidence as (
    select
        a.component_key,
        e.node_a,
        e.node_b,
        e.source_system,
        e.rule,
        e.record_count,
        greatest(a.end_score, b.end_score) as end_score,
        coalesce(r.millionths, 0) as stated,
        case when r.code is null then e.record_count else 0 end as unstated_count,
        -- The account of a link between an account and an identifier.
        case
            when a.is_account and not b.is_account then e.node_a
            when b.is_account and not a.is_account then e.node_b
        end as account_key
    from {{ ref('int_identity__judged_edges') }} as e
    inner join nodes as a on a.node_key = e.node_a
    inner join nodes as b on b.node_key = e.node_b and b.component_key = a.component_key
    left join rules as r on r.part = 'link' and r.code = e.rule
    where e.reason is null
),

pairs as (
    select
        component_key,
        node_a,
        node_b,
        min(account_key) as account_key,
        min(end_score) as end_score,
        max(stated) as stated,
        sum(unstated_count) as unstated_count,
        cast(sum(record_count) as bigint) as record_count
    from evidence
    group by component_key, node_a, node_b
),

-- Trust and priority as one number again, so that plain maxima find the best link and the priority can be read from it.
links as (
    select
        p.component_key,
        p.node_a,
        p.node_b,
        p.account_key,
        p.record_count,
        cast(round(greatest(
            p.stated,
            case
                when p.unstated_count > 1 then f.record_factor
                when p.unstated_count = 1 then f.record_factor * f.once_factor / 1000000
                else 0
            end
        ) * (p.end_score % 10000000) / 1000000) as bigint) * 1000 + 999 - cast(floor(p.end_score / 10000000) as bigint) as link_score
    from pairs as p
    cross join factors as f
),

accounts as (
    select case when account_key = node_a then node_b else node_a end as node_key, account_key, record_count
    from links
    where account_key is not null
),

most as (
    select node_key, max(record_count) as record_count from accounts group by node_key
),

homes as (
    select a.node_key, min(a.account_key) as account_key
    from accounts as a
    inner join most as m on m.node_key = a.node_key and m.record_count = a.record_count
    group by a.node_key
),

directed as (
    select component_key, link_score, node_a as node_key, node_b as other_key from links
    union all
    select component_key, link_score, node_b as node_key, node_a as other_key from links
),

best as (
    select component_key, max(link_score) as link_score from directed group by component_key, node_key
    union all
    select d.component_key, max(d.link_score) as link_score
    from directed as d
    left join homes as h on h.node_key = d.node_key
    left join homes as o on o.node_key = d.other_key
    where coalesce(h.account_key, d.node_key) <> coalesce(o.account_key, d.other_key)
    group by d.component_key, coalesce(h.account_key, d.node_key)
),

weakest as (
    select component_key, min(link_score) as link_score from best group by component_key
),

weakest_rules as (
    select w.component_key, min(w.link_score) as link_score, max_by(e.rule, cast(e.stated + 1000000 as string) || e.rule) as rule
    from weakest as w
    inner join links as l on l.component_key = w.component_key and l.link_score = w.link_score
    inner join evidence as e on e.node_a = l.node_a and e.node_b = l.node_b
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
