-- One row per landed record of event, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'event') }}
),

final as (
    select
        source_system,
        source_record_id,
        event_at,
        event_name,
        received_at,
        account_ref,
        ids,
        session_ref,
        platform,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        click_id,
        product_ref,
        quantity,
        value,
        engagement_ms,
        url,
        device,
        geo,
        is_bot,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'event') }}
    from records
)

select * from final
