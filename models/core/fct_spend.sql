-- One row per row of spend, in the reporting currency at its day's rate. Spend that names an account belongs to a customer; the
-- rest is the brand's and stays with the unknown customer.
with

spend as (
    select
        s.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(person.is_test, false) as is_test,
        {{ ref_key('s', 'campaign_ref') }} as campaign_key,
        {{ channel_code('s.channel') }} as channel_code,
        {{ rate_of('s.currency') }} as fx_rate
    from {{ ref('unified_spend') }} as s
    {{ join_person('s', 'spend') }}
    {{ join_ref('s', 'campaign_ref', 'campaign') }}
    {{ join_channel('s.channel') }}
    {{ join_rate('s.currency', 's.spend_date') }}
    where not s.is_deleted
),

final as (
    select
        {{ record_key('s') }} as spend_key,
        s.source_system,
        s.customer_id,
        s.spend_date as spend_on,
        s.channel_code,
        s.campaign_key,
        s.campaign_name,
        s.adset_ref,
        s.ad_ref,
        coalesce(s.cost_kind, 'acquisition') as cost_kind,
        s.currency,
        cast(s.fx_rate as decimal(18, 8)) as fx_rate,
        s.cost as original_cost_amount,
        {{ converted('s.cost', 's.fx_rate') }} as cost_amount,
        cast(s.impressions as bigint) as impression_count,
        cast(s.clicks as bigint) as click_count,
        s.is_test
    from spend as s
)

select * from final
