-- One row per landed version of a campaign; numbers of campaigns are unique within their platform only.
with

campaigns as (
    select * from {{ landed('ads', 'campaigns') }}
),

final as (
    select
        'ads' as source_system,
        trim(platform) || '|' || trim(campaign_id) as source_record_id,
        name,
        campaign_type,
        start_at,
        end_at,
        budget,
        owner,
        updated_at,
        {{ lineage('ads', 'campaigns') }}
    from campaigns
)

select * from final
