-- One row per landed redemption of a coupon.
with

coupon_redemptions as (
    select * from {{ landed('completejourney', 'coupon_redemptions') }}
),

final as (
    select
        'completejourney' as source_system,
        household_id || '-' || coupon_upc || '-' || campaign_id || '-' || substring(redemption_date, 1, 10) as source_record_id,
        {{ day_of('redemption_date') }} as entry_at,
        household_id as account_ref,
        'coupon' as benefit_kind,
        'redeem' as entry_kind,
        'direct mail' as programme,
        campaign_id as campaign_ref,
        coupon_upc as code,
        {{ lineage('completejourney', 'coupon_redemptions') }}
    from coupon_redemptions
)

select * from final
