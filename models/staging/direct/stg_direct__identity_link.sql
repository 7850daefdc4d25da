-- One row per landed record of identity_link, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'identity_link') }}
),

final as (
    select
        source_system,
        source_record_id,
        link_at,
        action,
        left_type,
        left_scope,
        left_value,
        right_type,
        right_scope,
        right_value,
        evidence,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'identity_link') }}
    from records
)

select * from final
