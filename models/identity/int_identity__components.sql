-- One row per node that stands for somebody and period in which it does, with its component: strong ones, weak ones attached to
-- them, anonymous ones.
with

identifiers as (
    select node_key, valid_from, valid_to from {{ ref('int_identity__identifiers') }}
),

weak as (
    select node_key, component_key, valid_from, valid_to from {{ ref('int_identity__weak_links') }}
),

final as (
    select
        s.node_key,
        i.valid_from,
        i.valid_to,
        s.component_key,
        'strong' as membership
    from {{ ref('int_identity__strong_components') }} as s
    inner join identifiers as i on i.node_key = s.node_key

    union all

    select
        w.node_key,
        w.valid_from,
        w.valid_to,
        coalesce(w.component_key, a.component_key) as component_key,
        case when w.component_key is null then 'anonymous' else 'attached' end as membership
    from weak as w
    left join {{ ref('int_identity__weak_components') }} as a on a.node_key = w.node_key
)

select * from final
