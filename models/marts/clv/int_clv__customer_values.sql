-- One row per customer and as_of: what the customer has been worth so far, by three formulas.
-- A cost whose source is not landed is NULL, and so is every formula that subtracts it: cac for customers won before the first
-- month with acquisition spend, maintenance as long as no touch cost, benefit or spend row exists.
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
),

customers as (
    select
        customer_id,
        first_channel,
        coalesce(first_campaign, '') as first_campaign,
        coalesce(first_touch_on, first_seen_on) as known_from_on
    from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

sales as (
    select * from {{ ref('int_clv__customer_sales') }}
),

cells as (
    select * from {{ ref('int_clv__acquisition_cells') }}
),

costs as (
    select customer_id, cost_on, cost_amount from {{ ref('int_clv__maintenance_costs') }}
),

maintenance as (
    select costs.customer_id, days.as_of, sum(costs.cost_amount) as maintenance_amount
    from costs
    inner join days on costs.cost_on <= days.as_of
    group by costs.customer_id, days.as_of
),

-- The first day on which each kind of cost could have been recorded.
landed as (
    select
        min(case when kind = 'acquisition' then seen_on end) as acquisition_from_on,
        min(seen_on) as maintenance_from_on
    from (
        select spend_on as seen_on, cost_kind as kind from {{ ref('fct_spend') }}
        union all
        select entry_on as seen_on, 'benefit' as kind from {{ ref('fct_benefit') }}
        union all
        select touched_on as seen_on, 'touch' as kind from {{ ref('fct_touch') }}
        where unit_cost_amount is not null
    ) as cost_rows
),

measured as (
    select
        customers.customer_id,
        days.as_of,
        customers.first_channel,
        customers.first_campaign,
        sales.first_order_on,
        sales.last_order_on,
        sales.order_day_count,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(sales.net_sales_amount, 0) as net_sales_amount,
        sales.gross_profit_amount,
        sales.basis_amount,
        sales.line_cost_paid_amount,
        sales.product_cost_paid_amount,
        sales.category_cost_paid_amount,
        sales.default_cost_paid_amount,
        greatest({{ days_between('sales.first_order_on', 'days.as_of') }}, 30) / 365.25 as years_observed,
        case
            when landed.acquisition_from_on is null or landed.acquisition_from_on > days.as_of then 'not_landed'
            when sales.first_order_on is null then 'no_order'
            when {{ month_of('sales.first_order_on') }} < {{ month_of('landed.acquisition_from_on') }} then 'before_spend'
            when cells.spend_amount = 0 then 'organic'
            else 'paid'
        end as cac_basis,
        cells.cost_per_new_customer_amount,
        case
            when landed.maintenance_from_on <= days.as_of then coalesce(maintenance.maintenance_amount, 0)
        end as maintenance_amount
    from customers
    cross join days
    cross join landed
    left join sales on customers.customer_id = sales.customer_id and days.as_of = sales.as_of
    left join cells
        on
            days.as_of = cells.as_of
            and customers.first_channel = cells.channel_code
            and customers.first_campaign = cells.campaign_key
            and {{ month_of('sales.first_order_on') }} = cells.month_on
    left join maintenance on customers.customer_id = maintenance.customer_id and days.as_of = maintenance.as_of
    where coalesce(customers.known_from_on, days.as_of) <= days.as_of or sales.order_count > 0
),

valued as (
    select
        *,
        case when order_count > 0 then cast(net_sales_amount as double) / nullif(order_count, 0) end as aov,
        case when order_count > 0 then order_count / nullif(years_observed, 0) end as orders_per_year,
        case
            when cac_basis in ('not_landed', 'before_spend') then null
            when cac_basis = 'paid' then cost_per_new_customer_amount
            else 0
        end as cac_amount,
        case when order_count > 0 then gross_profit_amount else 0 end - maintenance_amount as historic_margin_amount,
        line_cost_paid_amount + product_cost_paid_amount + category_cost_paid_amount + default_cost_paid_amount
            as known_cost_amount,
        greatest(line_cost_paid_amount, product_cost_paid_amount, category_cost_paid_amount, default_cost_paid_amount)
            as main_cost_amount
    from measured
),

final as (
    select
        cast(customer_id as string) as customer_id,
        cast(as_of as date) as as_of,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(first_order_on as date) as first_order_on,
        cast(last_order_on as date) as last_order_on,
        cast(order_count as bigint) as order_count,
        cast(order_day_count - 1 as bigint) as frequency,
        {{ days_between('first_order_on', 'last_order_on') }} as recency_age_days,
        {{ days_between('first_order_on', 'as_of') }} as tenure_days,
        {{ days_between('last_order_on', 'as_of') }} as days_since_last_order,
        cast(net_sales_amount as decimal(18,4)) as net_sales_amount,
        cast(gross_profit_amount as decimal(18,4)) as gross_profit_lifetime,
        cast({{ margin_source() }} as string) as margin_source,
        {{ share('main_cost_amount', 'basis_amount') }} as margin_source_rate,
        {{ share('known_cost_amount', 'basis_amount') }} as margin_known_rate,
        cast(case when order_count > 0 then years_observed end as decimal(18,6)) as years_observed,
        cast(aov as decimal(18,4)) as aov_amount,
        cast(orders_per_year as decimal(18,6)) as orders_per_year,
        aov * orders_per_year as net_sales_per_year,
        cast(case when order_count > 0 then first_channel end as string) as acquisition_channel,
        cast(case when order_count > 0 then nullif(first_campaign, '') end as string) as acquisition_campaign,
        cast(cac_basis as string) as cac_basis,
        cast(cac_amount as decimal(18,4)) as cac_amount,
        cast(maintenance_amount as decimal(18,4)) as maintenance_amount,
        cast(historic_margin_amount as decimal(18,4)) as historic_margin_amount,
        cast(case when order_count > 0 then cast(historic_margin_amount as double) / nullif(years_observed, 0) end as decimal(18,6))
            as historic_margin_per_year,
        cast(historic_margin_amount - cac_amount as decimal(18,4)) as historic_net_value_amount,
        cast(coalesce(aov * orders_per_year * years_observed, net_sales_amount) - cac_amount - maintenance_amount as decimal(18,4))
            as clv_formula_a_realised,
        cast(gross_profit_amount / nullif(years_observed, 0) as decimal(18,6)) as clv_formula_b_per_year,
        cast(coalesce(aov * orders_per_year * years_observed, net_sales_amount) - cac_amount as decimal(18,4))
            as clv_formula_c_realised
    from valued
)

select * from final
