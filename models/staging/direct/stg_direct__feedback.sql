-- One row per landed record of feedback, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'feedback') }}
),

final as (
    select
        source_system,
        source_record_id,
        feedback_at,
        feedback_kind,
        account_ref,
        ids,
        score,
        scale_max,
        text,
        product_ref,
        order_ref,
        status,
        first_response_at,
        resolved_at,
        reach,
        wave,
        stage_tag,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'feedback') }}
    from records
)

select * from final
