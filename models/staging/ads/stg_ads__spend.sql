-- One row per landed version of a day of an advertisement; platforms correct the last days again and again.
with

daily_spend as (
    select * from {{ landed('ads', 'daily_spend') }}
),

dated as (
    select *, {{ ts_from_slashes('trim(daily_spend.date)') }} as spend_date
    from daily_spend
),

final as (
    select
        'ads' as source_system,
        -- a missing level of the account tree is a level of its own; a missing platform or day is a missing key
        trim(platform) || '|' || coalesce(trim(account_id), '') || '|' || coalesce(trim(campaign_id), '') || '|'
        || coalesce(trim(adset_id), '') || '|' || coalesce(trim(ad_id), '') || '|' || spend_date as source_record_id,
        spend_date,
        platform as channel,
        cost,
        currency,
        trim(platform) || '|' || trim(campaign_id) as campaign_ref,
        campaign_name,
        adset_id as adset_ref,
        ad_id as ad_ref,
        impressions,
        clicks,
        conversions as platform_conversions,
        conversion_value as platform_value,
        cost_kind,
        updated_at,
        {{ lineage('ads', 'daily_spend') }}
    from dated
)

select * from final
