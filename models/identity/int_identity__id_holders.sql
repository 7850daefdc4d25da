-- One row per customer id ever issued, with the component that holds it now. An id belongs to the node that it was made from, its
-- anchor: whichever component holds the anchor holds the id. An id whose anchor is gone follows most of its former members.
with

components as (
    select node_key, valid_to, component_key, membership from {{ ref('int_identity__components') }}
),

history as ({{ id_history() }}),

former_members as ({{ former_members() }}),

issued as (
    select
        customer_id,
        min(anchor_key) as anchor_key,
        max(case when is_anonymous then 1 else 0 end) = 1 as is_anonymous,
        min(born_at) as born_at,
        min(valid_from) as issued_at
    from history
    group by customer_id
),

-- A weak anchor can stand in several components, at different times: the id stays with the anonymous one, else goes with the last.
anchored as (
    select
        i.customer_id,
        c.component_key,
        row_number() over (
            partition by i.customer_id
            order by
                case when c.membership = 'attached' then 1 else 0 end asc nulls last,
                coalesce(c.valid_to, {{ end_of_time() }}) desc nulls last,
                c.component_key asc nulls last
        ) as place
    from issued as i
    inner join components as c on c.node_key = i.anchor_key
),

homeless as (
    select i.customer_id
    from issued as i
    left join anchored as a on a.customer_id = i.customer_id
    where a.customer_id is null
),

followed as (
    select
        h.customer_id,
        c.component_key,
        row_number() over (
            partition by h.customer_id
            order by count(distinct f.node_key) desc nulls last, c.component_key asc nulls last
        ) as place
    from homeless as h
    inner join former_members as f on f.customer_id = h.customer_id
    inner join components as c on c.node_key = f.node_key
    group by h.customer_id, c.component_key
),

final as (
    select
        i.customer_id,
        i.anchor_key,
        i.is_anonymous,
        i.born_at,
        i.issued_at,
        a.customer_id is null as is_homeless,
        coalesce(a.component_key, f.component_key) as component_key
    from issued as i
    left join anchored as a on a.customer_id = i.customer_id and a.place = 1
    left join followed as f on f.customer_id = i.customer_id and f.place = 1
)

select * from final
