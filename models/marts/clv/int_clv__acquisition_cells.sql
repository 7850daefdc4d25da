-- One row per as_of, first channel, campaign and month with acquisition spend or new customers.
-- The spend of a cell is shared equally by its new customers; what nobody shares, and the rounding, is the residual, so that
-- the shares and the residual are the spend to the last digit. A customer is new in the month of the first order that is
-- valid on as_of. The campaign is '' where there is none. Before the first month with acquisition spend nobody knows what was
-- spent, so the amounts are NULL there and not 0.
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
),

customers as (
    select customer_id, first_channel, first_campaign from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

sales as (
    select customer_id, as_of, first_order_on from {{ ref('int_clv__customer_sales') }}
    where order_count > 0
),

spend as (
    select channel_code, campaign_key, spend_on, cost_amount from {{ ref('fct_spend') }}
    where cost_kind = 'acquisition' and cost_amount is not null and not is_test
),

landed as (
    select min(spend_on) as spend_from_on from spend
),

cells as (
    select
        days.as_of,
        spend.channel_code,
        coalesce(spend.campaign_key, '') as campaign_key,
        {{ month_of('spend.spend_on') }} as month_on,
        spend.cost_amount as spend_amount,
        0 as new_customers
    from spend
    inner join days on spend.spend_on <= days.as_of
    union all
    select
        sales.as_of,
        customers.first_channel as channel_code,
        coalesce(customers.first_campaign, '') as campaign_key,
        {{ month_of('sales.first_order_on') }} as month_on,
        0 as spend_amount,
        1 as new_customers
    from sales
    inner join customers on sales.customer_id = customers.customer_id
),

totals as (
    select
        as_of,
        channel_code,
        campaign_key,
        month_on,
        sum(spend_amount) as spend_amount,
        sum(new_customers) as new_customers
    from cells
    group by as_of, channel_code, campaign_key, month_on
),

known as (
    select
        totals.as_of,
        totals.channel_code,
        totals.campaign_key,
        totals.month_on,
        totals.new_customers,
        case
            when landed.spend_from_on <= totals.as_of and {{ month_of('landed.spend_from_on') }} <= totals.month_on
                then totals.spend_amount
        end as spend_amount
    from totals
    cross join landed
),

shared as (
    select
        *,
        cast(round(cast(spend_amount as double) / nullif(new_customers, 0), 4) as decimal(18,4)) as share_amount
    from known
),

final as (
    select
        cast(as_of as date) as as_of,
        cast(channel_code as string) as channel_code,
        cast(campaign_key as string) as campaign_key,
        cast(month_on as date) as month_on,
        cast(spend_amount as decimal(18,4)) as spend_amount,
        cast(new_customers as bigint) as new_customer_count,
        share_amount as cost_per_new_customer_amount,
        cast(spend_amount - coalesce(share_amount, 0) * new_customers as decimal(18,4)) as residual_amount
    from shared
)

select * from final
