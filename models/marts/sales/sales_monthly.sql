-- One row per month and channel up to as_of: orders, buyers, net sales by order day and by refund day, gross profit.
-- By order day a refund lowers the month of its order; by refund day it lowers its own month. Over all months the two differ
-- by the two published lines and nothing else: refunds without an order, and refunds above what was paid. Who bought without
-- being identified is in money and orders, not in buyers. An order without an exchange rate is in orders, not in money.
with

order_results as (
    select * from {{ ref('int_sales__order_results') }}
),

refunds as (
    select
        coalesce(order_results.channel_code, 'unattributed') as channel_code,
        {{ month_of('refunds.refunded_on') }} as month_on,
        refunds.refund_amount,
        case when refunds.is_orderless then refunds.refund_amount else 0 end as orderless_refund_amount,
        refunds.excess_amount as excess_refund_amount
    from {{ ref('fct_refund') }} as refunds
    left join order_results on refunds.order_key = order_results.order_key
    where refunds.is_counted and not coalesce(order_results.is_rate_missing, false)
),

sold as (
    select
        month_on,
        channel_code,
        count(*) filter (where is_valid) as order_count,
        count(*) filter (where is_valid and is_rate_missing) as unrated_order_count,
        count(distinct case when is_buyer_order then customer_id end) as buyer_count,
        count(*) filter (where is_new_buyer_order) as new_buyer_count,
        sum(paid_amount) as sales_amount,
        coalesce(sum(net_amount), 0) as net_sales_by_order_day_amount,
        sum(net_amount) filter (where is_buyer_order) as buyer_net_sales_amount,
        sum(gross_profit_amount) as gross_profit_amount
    from order_results
    group by month_on, channel_code
),

refunded as (
    select
        month_on,
        channel_code,
        sum(refund_amount) as refund_amount,
        sum(orderless_refund_amount) as orderless_refund_amount,
        sum(excess_refund_amount) as excess_refund_amount
    from refunds
    group by month_on, channel_code
),

months as (
    select
        coalesce(sold.month_on, refunded.month_on) as month_on,
        coalesce(sold.channel_code, refunded.channel_code) as channel_code,
        coalesce(sold.order_count, 0) as order_count,
        coalesce(sold.unrated_order_count, 0) as unrated_order_count,
        coalesce(sold.buyer_count, 0) as buyer_count,
        coalesce(sold.new_buyer_count, 0) as new_buyer_count,
        coalesce(sold.sales_amount, 0) as sales_amount,
        coalesce(sold.net_sales_by_order_day_amount, 0) as net_sales_by_order_day_amount,
        coalesce(sold.buyer_net_sales_amount, 0) as buyer_net_sales_amount,
        sold.gross_profit_amount,
        coalesce(refunded.refund_amount, 0) as refund_amount,
        coalesce(refunded.orderless_refund_amount, 0) as orderless_refund_amount,
        coalesce(refunded.excess_refund_amount, 0) as excess_refund_amount
    from sold
    full outer join refunded on sold.month_on = refunded.month_on and sold.channel_code = refunded.channel_code
),

final as (
    select
        cast(month_on as date) as month_on,
        cast(channel_code as string) as channel_code,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(order_count as bigint) as order_count,
        cast(unrated_order_count as bigint) as unrated_order_count,
        cast(buyer_count as bigint) as buyer_count,
        cast(new_buyer_count as bigint) as new_buyer_count,
        cast(sales_amount as decimal(18,4)) as sales_amount,
        cast(refund_amount as decimal(18,4)) as refund_amount,
        cast(orderless_refund_amount as decimal(18,4)) as orderless_refund_amount,
        cast(excess_refund_amount as decimal(18,4)) as excess_refund_amount,
        cast(net_sales_by_order_day_amount as decimal(18,4)) as net_sales_by_order_day_amount,
        cast(sales_amount - refund_amount as decimal(18,4)) as net_sales_by_refund_day_amount,
        cast(gross_profit_amount as decimal(18,4)) as gross_profit_amount,
        cast(cast(net_sales_by_order_day_amount as double) / nullif(order_count - unrated_order_count, 0) as decimal(18,4)) as aov_amount,
        cast(cast(buyer_net_sales_amount as double) / nullif(buyer_count, 0) as decimal(18,4)) as spend_per_buyer_amount
    from months
)

select * from final
