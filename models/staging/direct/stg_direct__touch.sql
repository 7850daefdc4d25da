-- One row per landed record of touch, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'touch') }}
),

final as (
    select
        source_system,
        source_record_id,
        touched_at,
        touch_kind,
        channel,
        campaign_ref,
        experiment_ref,
        variant,
        message_ref,
        account_ref,
        ids,
        unit_cost,
        is_automated,
        trigger_at,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'touch') }}
    from records
)

select * from final
