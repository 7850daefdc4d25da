-- One row per as_of and percentile of buyers, the best first: how much of net sales and profit they carry.
-- Buyers are ranked by realised net sales; equal customers are kept apart by their id, which moves no total. With fewer than
-- 100 buyers there are as many rows as buyers.
with

buyers as (
    select as_of, currency, customer_id, net_sales_amount, gross_profit_lifetime from {{ ref('int_clv__customer_values') }}
    where order_count > 0
),

ranked as (
    select
        *,
        ntile(100) over (partition by as_of order by net_sales_amount desc nulls last, customer_id asc nulls last) as percentile
    from buyers
),

buckets as (
    select
        as_of,
        currency,
        percentile,
        count(*) as customer_count,
        sum(net_sales_amount) as net_sales_amount,
        min(net_sales_amount) as lowest_net_sales_amount,
        sum(gross_profit_lifetime) as gross_profit_lifetime
    from ranked
    group by as_of, currency, percentile
),

running as (
    select
        *,
        sum(customer_count) over running as running_customers,
        sum(net_sales_amount) over running as running_net_sales,
        sum(customer_count) over (partition by as_of) as all_customers,
        sum(net_sales_amount) over (partition by as_of) as all_net_sales
    from buckets
    window running as (
        partition by as_of order by percentile asc nulls last rows between unbounded preceding and current row
    )
),

final as (
    select
        cast(as_of as date) as as_of,
        cast(percentile as bigint) as percentile,
        cast(floor((percentile - 1) / 10.0) + 1 as bigint) as decile,
        cast(currency as string) as currency,
        cast(customer_count as bigint) as customer_count,
        cast(net_sales_amount as decimal(18,4)) as net_sales_amount,
        cast(lowest_net_sales_amount as decimal(18,4)) as lowest_net_sales_amount,
        cast(gross_profit_lifetime as decimal(18,4)) as gross_profit_lifetime,
        {{ share('net_sales_amount', 'all_net_sales') }} as net_sales_rate,
        {{ share('running_customers', 'all_customers') }} as cumulative_customer_rate,
        {{ share('running_net_sales', 'all_net_sales') }} as cumulative_net_sales_rate
    from running
)

select * from final
