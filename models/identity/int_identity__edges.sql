-- One row per pair of nodes, source system and kind of evidence that ties them: when first and last, in how many records.
-- Evidence only; the guards judge it afterwards, so that a changed rule acts on everything ever seen.
{%- set widest = 30 %}
with

observations as (
    select sighting_key, node_key, first_seen_at, last_seen_at, record_count, member_number, member_count
    from {{ ref('int_identity__node_observations') }}
),

sightings as (
    select sighting_key, entity, source_system from {{ ref('int_identity__sightings') }}
),

statements as (
    select node_a, node_b, source_system, action, first_stated_at, last_stated_at, statement_count
    from {{ ref('int_identity__node_statements') }}
    where action in ('bind', 'login', 'must', 'probabilistic')
),

pairs as (
    select
        least(a.node_key, b.node_key) as node_a,
        greatest(a.node_key, b.node_key) as node_b,
        a.sighting_key,
        greatest(a.first_seen_at, b.first_seen_at) as first_seen_at,
        least(a.last_seen_at, b.last_seen_at) as last_seen_at,
        a.record_count
    from observations as a
    inner join observations as b
        on b.sighting_key = a.sighting_key and b.member_number > a.member_number
    -- Every pair of a record, as long as the number of pairs stays small: a hostile record could name thousands.
    where
        (a.member_count <= {{ widest }} or a.member_number = 1)
        -- Periods of two values that moved must overlap.
        and coalesce(greatest(a.first_seen_at, b.first_seen_at) <= least(a.last_seen_at, b.last_seen_at), true)
),

evidence as (
    select
        p.node_a,
        p.node_b,
        s.source_system,
        s.entity as rule,
        p.first_seen_at,
        p.last_seen_at,
        p.record_count
    from pairs as p
    inner join sightings as s on s.sighting_key = p.sighting_key

    union all

    select
        node_a,
        node_b,
        source_system,
        action as rule,
        first_stated_at as first_seen_at,
        last_stated_at as last_seen_at,
        statement_count as record_count
    from statements
),

final as (
    select
        node_a,
        node_b,
        source_system,
        rule,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        cast(sum(record_count) as bigint) as record_count
    from evidence
    where node_a <> node_b
    group by node_a, node_b, source_system, rule
)

select * from final
