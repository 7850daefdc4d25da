-- One row per sighting and period in which its records belong to one customer: the account's, else that of the strongest identifier
-- that stands for somebody then, known persons before anonymous ones. No customer means that the records name nobody.
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
        m.node_key,
        o.id_value,
        m.customer_id,
        m.is_anonymous,
        m.valid_from,
        coalesce(m.valid_to, {{ end_of_time() }}) as valid_to
    from {{ ref('int_identity__observations') }} as o
    inner join {{ ref('int_identity__identifiers') }} as i on i.value_key = o.value_key
    inner join {{ ref('int_identity__members') }} as m on m.node_key = i.node_key
),

moments as (
    select
        sighting_key,
        valid_from
    from members
    union
    select
        sighting_key,
        valid_to as valid_from
    from members
    where valid_to < {{ end_of_time() }}
),

ranked as (
    select
        p.sighting_key,
        p.valid_from as holds_from,
        m.customer_id,
        m.strength,
        m.node_key,
        row_number() over (
            partition by p.sighting_key, p.valid_from
            order by
                m.is_account desc nulls last,
                m.is_anonymous asc nulls last,
                m.priority asc nulls last,
                m.id_value asc nulls last,
                m.node_key asc nulls last
        ) as person_rank,
        row_number() over (
            partition by p.sighting_key, p.valid_from, m.strength
            order by m.priority desc nulls last, m.id_value asc nulls last, m.node_key asc nulls last
        ) as visitor_rank
    from moments as p
    left join members as m on m.sighting_key = p.sighting_key and m.valid_from <= p.valid_from and m.valid_to > p.valid_from
),

chosen as (
    select
        sighting_key,
        holds_from,
        max(case when person_rank = 1 then customer_id end) as customer_id,
        max(case when strength = 'weak' and visitor_rank = 1 then node_key end) as visitor_key
    from ranked
    group by sighting_key, holds_from
),

periods as (
    select
        *,
        lead(holds_from) over (partition by sighting_key order by holds_from asc nulls last) as holds_to
    from chosen
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
        coalesce(c.holds_from, {{ beginning_of_time() }}) as valid_from,
        coalesce(c.holds_to, {{ end_of_time() }}) as valid_to,
        c.customer_id,
        c.visitor_key,
        t.source_record_id is not null as is_test
    from sightings as s
    left join periods as c on c.sighting_key = s.sighting_key
    left join test_accounts as t
        on t.source_system = s.account_system and t.source_record_id = s.account_id
)

select * from final
