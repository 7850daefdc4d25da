-- One row per landed action or page view.
-- Names of actions are translated by the seed event_map; one that it does not know keeps its own name and counts as other.
with

tracks as (
    select * from {{ landed('segment', 'tracks') }}
),

pages as (
    select * from {{ landed('segment', 'pages') }}
),

event_names as (
    select source_event, event_name from {{ ref('event_map') }} where channel = 'segment'
),

actions as (
    select
        'track-' || tracks.id as source_record_id,
        tracks.timestamp as event_at,
        coalesce(event_names.event_name, tracks.event) as event_name,
        tracks.received_at,
        tracks.user_id as account_ref,
        tracks.ids,
        tracks.context_session_id as session_ref,
        tracks.platform,
        tracks.context_campaign_source as utm_source,
        tracks.context_campaign_medium as utm_medium,
        tracks.context_campaign_name as utm_campaign,
        tracks.context_campaign_content as utm_content,
        tracks.context_campaign_term as utm_term,
        tracks.product_id as product_ref,
        tracks.quantity,
        tracks.value,
        tracks.engagement_ms,
        tracks.context_page_url as url,
        cast(null as string) as device,
        tracks.is_bot,
        tracks.uuid_ts as loaded_at,
        {{ lineage('segment', 'tracks') }}
    from tracks
    left join event_names on lower(replace(trim(tracks.event), ' ', '_')) = event_names.source_event
),

views as (
    select
        'page-' || id as source_record_id,
        pages.timestamp as event_at,
        'page_view' as event_name,
        received_at,
        user_id as account_ref,
        ids,
        context_session_id as session_ref,
        'web' as platform,
        context_campaign_source as utm_source,
        context_campaign_medium as utm_medium,
        context_campaign_name as utm_campaign,
        context_campaign_content as utm_content,
        context_campaign_term as utm_term,
        cast(null as string) as product_ref,
        cast(null as string) as quantity,
        cast(null as string) as value,
        cast(null as string) as engagement_ms,
        url,
        context_user_agent as device,
        cast(null as string) as is_bot,
        uuid_ts as loaded_at,
        {{ lineage('segment', 'pages') }}
    from pages
),

final as (
    select 'segment' as source_system, actions.* from actions
    union all
    select 'segment' as source_system, views.* from views
)

select * from final
