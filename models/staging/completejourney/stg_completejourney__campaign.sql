-- One row per landed direct-mail campaign; its dates are days of the shops.
with

campaign_descriptions as (
    select * from {{ landed('completejourney', 'campaign_descriptions') }}
),

final as (
    select
        'completejourney' as source_system,
        campaign_id as source_record_id,
        'Campaign ' || campaign_id as name,
        campaign_type,
        {{ day_of('start_date') }} as start_at,
        {{ day_of('end_date') }} as end_at,
        {{ lineage('completejourney', 'campaign_descriptions') }}
    from campaign_descriptions
)

select * from final
