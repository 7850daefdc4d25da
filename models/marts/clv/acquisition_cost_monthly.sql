-- One row per first channel, campaign and month, as known on as_of: acquisition spend and what a new customer cost.
-- A cell without spend is organic: its customers cost 0. A cell without new customers has no cost per customer, and its spend
-- is residual. Where no acquisition spend is landed for the month, its amounts are NULL.
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
    where is_latest
),

cells as (
    select * from {{ ref('int_clv__acquisition_cells') }}
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
        cells.spend_amount = 0 as is_organic
    from cells
    inner join days on cells.as_of = days.as_of
)

select * from final
