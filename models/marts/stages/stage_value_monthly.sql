-- One row per model, business type, stage and month: what customers bought out of the stage that they were in the instant before the
-- order, that is on the day before it. Stage NULL: no stage yet, or nobody known; with it the rows of each model add up to all valid
-- orders of sales_monthly. The business type is the order's, as its rules would choose it.
with

results as (
    select
        results.customer_id,
        results.ordered_on,
        results.month_on,
        results.is_buyer_order,
        coalesce(
            {{ lifecycle_known_type('orders.business_type') }},
            {{ lifecycle_known_type('units.business_type') }},
            customers.business_type,
            {{ setting_text('default_business_type') }}
        ) as business_type,
        results.net_amount,
        results.gross_profit_amount
    from {{ ref('int_sales__order_results') }} as results
    inner join {{ ref('fct_order') }} as orders on results.order_key = orders.order_key
    left join {{ ref('business_unit') }} as units on orders.business_unit = units.business_unit
    left join {{ ref('int_lifecycle__customers') }} as customers on results.customer_id = customers.customer_id
    where results.is_valid
),

-- Once per customer and day, before every model looks at it.
orders as (
    select
        customer_id, ordered_on, month_on, is_buyer_order, business_type,
        count(*) as order_count,
        sum(net_amount) as net_sales_amount,
        sum(gross_profit_amount) as gross_profit_amount
    from results
    group by customer_id, ordered_on, month_on, is_buyer_order, business_type
),

models as (
    select distinct model_code from {{ ref('lifecycle_stage') }}
),

bought as (
    select
        models.model_code,
        orders.business_type,
        intervals.stage_code,
        intervals.stage_rank,
        orders.month_on,
        sum(orders.order_count) as order_count,
        count(distinct case when orders.is_buyer_order then orders.customer_id end) as buyer_count,
        sum(orders.net_sales_amount) as net_sales_amount,
        sum(orders.gross_profit_amount) as gross_profit_amount
    from orders
    cross join models
    left join {{ ref('customer_lifecycle_intervals') }} as intervals
        on
            orders.customer_id = intervals.customer_id
            and models.model_code = intervals.model_code
            and orders.ordered_on > intervals.valid_from
            and orders.ordered_on <= coalesce(intervals.valid_to, cast('9999-12-31' as date))
    group by models.model_code, orders.business_type, intervals.stage_code, intervals.stage_rank, orders.month_on
),

final as (
    select
        cast(model_code as string) as model_code,
        cast(business_type as string) as business_type,
        stage_code,
        stage_rank,
        month_on,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(order_count as bigint) as order_count,
        cast(buyer_count as bigint) as buyer_count,
        cast(coalesce(net_sales_amount, 0) as decimal(18, 4)) as net_sales_amount,
        cast(gross_profit_amount as decimal(18, 4)) as gross_profit_amount,
        {{ share('net_sales_amount', 'sum(net_sales_amount) over (partition by model_code, business_type, month_on)') }}
            as net_sales_rate
    from bought
)

select * from final
