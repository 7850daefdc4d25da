-- One row per customer and local day on which something valid was bought, money went back without an order, or the customer cost
-- something, as known on as_of: cancelled orders are gone, and refunds of an order lower the day on which it was placed.
-- Summed over the days it is what customer_clv says of the customer. A cost that is not landed is NULL, one that was not spent 0.
{%- set sources = ['line', 'product', 'category', 'default'] %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

-- Refunds without an order fall on their own day.
sales as (
    select
        customer_id,
        coalesce(order_day_on, known_on) as day_on,
        sum(order_delta) as order_count,
        sum(net_sales_delta) as net_sales_amount,
        sum(margin_delta) as margin_amount
    from {{ ref('int_clv__day_changes') }}
    group by customer_id, coalesce(order_day_on, known_on)
    having sum(order_delta) > 0 or sum(net_sales_delta) <> 0 or sum(margin_delta) <> 0
),

margins as (
    select
        orders.customer_id,
        orders.ordered_on as day_on,
        sum(coalesce(margins.line_paid_amount, orders.paid_amount)) as basis_amount,
        sum(
            margins.line_cost_paid_amount
            + margins.product_cost_paid_amount
            + margins.category_cost_paid_amount
            + margins.default_cost_paid_amount
        ) as known_amount,
        {%- for source in sources %}
        sum(margins.{{ source }}_cost_paid_amount) as {{ source }}_cost_paid_amount
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('fct_order') }} as orders
    left join {{ ref('int_clv__order_margins') }} as margins on orders.order_key = margins.order_key
    where orders.is_valid
    group by orders.customer_id, orders.ordered_on
),

costs as (
    select costs.customer_id, costs.cost_on, costs.cost_source, costs.cost_amount
    from {{ ref('int_clv__maintenance_costs') }} as costs
    inner join as_of on costs.cost_on <= as_of.as_of
),

landed as (
    select
        max(case when cost_source = 'spend' then 0 end) as no_service_cost,
        max(case when cost_source = 'touch' then 0 end) as no_touch_cost,
        max(case when cost_source = 'benefit' then 0 end) as no_benefit_cost
    from costs
),

spent as (
    select
        costs.customer_id,
        costs.cost_on as day_on,
        sum(case when costs.cost_source = 'spend' then costs.cost_amount end) as service_cost_amount,
        sum(case when costs.cost_source = 'touch' then costs.cost_amount end) as touch_cost_amount,
        sum(case when costs.cost_source = 'benefit' then costs.cost_amount end) as benefit_cost_amount
    from costs
    inner join customers on costs.customer_id = customers.customer_id
    group by costs.customer_id, costs.cost_on
),

joined as (
    select
        coalesce(sales.customer_id, spent.customer_id) as customer_id,
        coalesce(sales.day_on, spent.day_on) as day_on,
        case when sales.order_count > 0 then sales.day_on end as ordered_on,
        sales.order_count,
        case when sales.customer_id is null then 0 else sales.net_sales_amount end as net_sales_amount,
        case when sales.customer_id is null then 0 else sales.margin_amount end as margin_amount,
        spent.service_cost_amount,
        spent.touch_cost_amount,
        spent.benefit_cost_amount
    from sales
    full outer join spent on sales.customer_id = spent.customer_id and sales.day_on = spent.day_on
),

final as (
    select
        cast(joined.customer_id as string) as customer_id,
        cast(joined.day_on as date) as day_on,
        cast(as_of.as_of as date) as as_of,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(coalesce(joined.order_count, 0) as bigint) as order_count,
        {{ as_money('joined.net_sales_amount') }} as net_sales_amount,
        {{ as_money('joined.margin_amount') }} as margin_amount,
        cast({{ margin_source() }} as string) as margin_source,
        {{ share('margins.known_amount', 'margins.basis_amount') }} as margin_known_rate,
        {{ as_money('coalesce(joined.service_cost_amount, landed.no_service_cost)') }} as service_cost_amount,
        {{ as_money('coalesce(joined.touch_cost_amount, landed.no_touch_cost)') }} as touch_cost_amount,
        {{ as_money('coalesce(joined.benefit_cost_amount, landed.no_benefit_cost)') }} as benefit_cost_amount
    from joined
    cross join as_of
    cross join landed
    left join margins on joined.customer_id = margins.customer_id and joined.ordered_on = margins.day_on
)

select * from final
