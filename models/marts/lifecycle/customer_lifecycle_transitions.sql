-- One row per customer, model and change of stage, numbered from the first: enter, upgrade, downgrade, reactivate (back
-- from a silent stage to one that is not) or exit (the customer asked to be erased, and nothing comes after it). A merge restates the
-- past, so that an id that was merged away has no days at all and no exit either.
{%- set in_model = 'partition by customer_id, model_code order by valid_from nulls last' %}
with

intervals as (
    select * from {{ ref('customer_lifecycle_intervals') }}
),

stages as (
    select * from {{ ref('lifecycle_stage') }}
),

neighbours as (
    select
        intervals.*,
        lag(stage_code) over ({{ in_model }}) as last_stage_code,
        lead(valid_from) over ({{ in_model }}) as next_valid_from
    from intervals
),

changes as (
    select
        customer_id, model_code, valid_from as occurred_on, last_stage_code as from_stage_code, stage_code as to_stage_code,
        business_type, clause_id, cycle_number
    from neighbours
    where stage_code is distinct from last_stage_code
    union all
    select
        customer_id, model_code, valid_to as occurred_on, stage_code as from_stage_code, cast(null as string) as to_stage_code,
        business_type, cast(null as string) as clause_id, cycle_number
    from neighbours
    where valid_to is not null and next_valid_from is null
),

final as (
    select
        changes.customer_id,
        changes.model_code,
        cast(row_number() over (
            partition by changes.customer_id, changes.model_code order by changes.occurred_on nulls last
        ) as bigint) as sequence_number,
        changes.occurred_on,
        case
            when changes.from_stage_code is null then 'enter'
            when changes.to_stage_code is null then 'exit'
            when from_stages.is_inactive and not to_stages.is_inactive then 'reactivate'
            when to_stages.stage_rank > from_stages.stage_rank then 'upgrade'
            else 'downgrade'
        end as transition_kind,
        changes.from_stage_code,
        changes.to_stage_code,
        changes.business_type,
        changes.clause_id,
        changes.cycle_number
    from changes
    left join stages as from_stages
        on changes.model_code = from_stages.model_code and changes.from_stage_code = from_stages.stage_code
    left join stages as to_stages
        on changes.model_code = to_stages.model_code and changes.to_stage_code = to_stages.stage_code
)

select * from final
