-- One row per landed record of campaign, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'campaign') }}
),

final as (
    select
        source_system,
        source_record_id,
        name,
        campaign_type,
        goal_metric,
        target_model,
        target_stage_from,
        target_stage_to,
        start_at,
        end_at,
        budget,
        owner,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'campaign') }}
    from records
)

select * from final
