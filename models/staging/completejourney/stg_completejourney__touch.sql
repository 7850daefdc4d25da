-- One row per landed mailing of a campaign to a household, on the campaign's first day.
with

campaigns as (
    select * from {{ landed('completejourney', 'campaigns') }}
),

descriptions as (
    select _key, start_date
    from {{ landed_current('completejourney', 'campaign_descriptions', {'key': ['campaign_id'], 'order': []}) }} as descriptions
),

final as (
    select
        'completejourney' as source_system,
        campaigns.campaign_id || '-' || campaigns.household_id as source_record_id,
        {{ day_of('descriptions.start_date') }} as touched_at,
        'sent' as touch_kind,
        'direct_mail' as channel,
        campaigns.campaign_id as campaign_ref,
        campaigns.household_id as account_ref,
        campaigns.ids,
        {{ lineage('completejourney', 'campaigns') }}
    from campaigns
    left join descriptions on {{ clean_key('campaigns.campaign_id') }} = descriptions._key
)

select * from final
