-- One row per sighting, with the customer that its records belong to: the account's, else that of the strongest identifier
-- that stands for somebody, known persons before anonymous ones. No row means that the records name nobody.
-- Blank text stands for an absent reference, so that records join by plain equality. visitor_key is the narrowest cookie or
-- device on the record: it stays the same when the visitor logs in.
with

sightings as (
    select sighting_key, entity, source_system, account_ref, ids, account_system, account_id
    from {{ ref('int_identity__sightings') }}
),

members as (
    select
        o.sighting_key,
        i.is_account,
        i.strength,
        i.priority,
        o.node_key,
        o.id_value,
        c.customer_id,
        c.is_anonymous
    from {{ ref('int_identity__observations') }} as o
    inner join {{ ref('int_identity__identifiers') }} as i on i.node_key = o.node_key
    inner join {{ ref('int_identity__components') }} as n on n.node_key = o.node_key
    inner join {{ ref('int_identity__customer_ids') }} as c on c.component_key = n.component_key
),

ranked as (
    select
        *,
        row_number() over (
            partition by sighting_key
            order by
                is_account desc nulls last,
                is_anonymous asc nulls last,
                priority asc nulls last,
                id_value asc nulls last,
                node_key asc nulls last
        ) as person_rank,
        row_number() over (
            partition by sighting_key, strength
            order by priority desc nulls last, id_value asc nulls last, node_key asc nulls last
        ) as visitor_rank
    from members
),

chosen as (
    select
        sighting_key,
        max(case when person_rank = 1 then customer_id end) as customer_id,
        max(case when strength = 'weak' and visitor_rank = 1 then node_key end) as visitor_key
    from ranked
    group by sighting_key
),

test_accounts as (
    select source_system, source_record_id
    from {{ ref('unified_account') }}
    where is_test and not is_deleted
),

final as (
    select
        s.entity,
        s.source_system,
        coalesce(s.account_ref, '') as account_ref,
        coalesce(s.ids, '') as ids,
        c.customer_id,
        c.visitor_key,
        t.source_record_id is not null as is_test
    from sightings as s
    left join chosen as c on c.sighting_key = s.sighting_key
    left join test_accounts as t
        on t.source_system = s.account_system and t.source_record_id = s.account_id
)

select * from final
