-- One row per landed record of privacy_event, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'privacy_event') }}
),

final as (
    select
        source_system,
        source_record_id,
        event_at,
        action,
        purpose,
        channel,
        account_ref,
        ids,
        basis,
        evidence,
        due_at,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'privacy_event') }}
    from records
)

select * from final
