-- One row per first channel, campaign and month, as known on as_of: acquisition spend, what a new customer cost and is worth.
-- A cell without spend is organic: its customers cost 0. A cell without new customers has no cost per customer, and its spend
-- is residual. Where no acquisition spend is landed for the month, its amounts are NULL, and so is worth without predictions.
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
    where is_latest
),

cells as (
    select * from {{ ref('int_clv__acquisition_cells') }}
),

-- What customers have brought so far and are predicted to bring in a year more.
worths as (
    select
        clv.acquisition_channel as channel_code,
        coalesce(clv.acquisition_campaign, '') as campaign_key,
        {{ month_of('clv.first_order_on') }} as month_on,
        count(clv.clv_total_365d_amount) as valued_customer_count,
        sum(clv.predicted_value_365d) as predicted_value_365d,
        avg(clv.clv_total_365d_amount) as mean_total
    from {{ ref('customer_clv') }} as clv
    inner join days on clv.as_of = days.as_of
    where clv.order_count > 0
    group by clv.acquisition_channel, coalesce(clv.acquisition_campaign, ''), {{ month_of('clv.first_order_on') }}
),

final as (
    select
        cells.month_on,
        cells.channel_code,
        cells.campaign_key,
        cells.as_of,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cells.spend_amount,
        cells.new_customer_count,
        cells.cost_per_new_customer_amount,
        cells.residual_amount,
        cells.spend_amount = 0 as is_organic,
        cast(coalesce(worths.valued_customer_count, 0) as bigint) as valued_customer_count,
        {{ as_money('worths.predicted_value_365d') }} as predicted_value_365d,
        {{ as_money('worths.mean_total') }} as clv_365_per_new_customer_amount,
        {{ share('worths.mean_total', 'cells.cost_per_new_customer_amount') }} as clv_to_cac_rate
    from cells
    inner join days on cells.as_of = days.as_of
    left join worths
        on
            cells.channel_code = worths.channel_code
            and cells.campaign_key = worths.campaign_key
            and cells.month_on = worths.month_on
)

select * from final
