-- One row per customer on as_of: each CLV formula against its parts, added up again on a second path.
-- Formula A must be net sales less both costs, formula C net sales less acquisition, formula B times the years the gross profit, and
-- what is historic that profit less maintenance, and less both costs; the expected forms take the net sales of the years observed for
-- every year expected.
-- Measured against its own factors a formula could not fail, so the parts come from core's order state and the spend rows.
-- A formula that is NULL because a cost is not landed is compared without that cost's part: NULL must meet NULL.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

clv as (
    select customer_clv.*
    from {{ ref('customer_clv') }} as customer_clv
    inner join as_of on customer_clv.as_of = as_of.as_of
),

parts as (
    select
        clv.customer_id,
        clv.as_of,
        clv.currency,
        clv.clv_formula_a_realised,
        clv.clv_formula_b_per_year,
        clv.clv_formula_c_realised,
        clv.clv_formula_a_expected,
        clv.clv_formula_c_expected,
        clv.clv_formula_b_expected,
        clv.historic_margin_amount,
        clv.historic_margin_per_year,
        clv.historic_net_value_amount,
        cast(clv.expected_years as double) as expected_years,
        coalesce(sales.net_sales_amount, 0) as net_sales_amount,
        case when clv.cac_basis not in ('not_landed', 'before_spend') then coalesce(costs.acquisition_amount, 0) end
            as acquisition_amount,
        case when clv.maintenance_amount is not null then coalesce(costs.maintenance_amount, 0) end as maintenance_amount,
        case when sales.first_order_on is not null then sales.profit_amount end as profit_amount,
        case when sales.first_order_on is not null then sales.profit_amount else 0 end as realised_profit,
        greatest({{ days_between('sales.first_order_on', 'clv.as_of') }}, 30) / 365.25 as years_observed
    from clv
    left join {{ ref('int_clv__check_sales') }} as sales on clv.customer_id = sales.customer_id
    left join {{ ref('int_clv__check_costs') }} as costs on clv.customer_id = costs.customer_id
),

compared as (
    select
        *,
        net_sales_amount - acquisition_amount - maintenance_amount as realised_net_of_costs,
        net_sales_amount - acquisition_amount as realised_net_of_acquisition,
        clv_formula_b_per_year * years_observed as formula_b_profit,
        cast(profit_amount as double) / nullif(years_observed, 0) * expected_years as expected_profit,
        realised_profit - maintenance_amount as profit_less_maintenance,
        profit_amount - maintenance_amount as buyer_profit_less_maintenance,
        historic_margin_per_year * years_observed as rate_margin,
        realised_profit - maintenance_amount - acquisition_amount as profit_less_costs,
        cast(net_sales_amount as double) * expected_years / nullif(years_observed, 0) - acquisition_amount as expected_net_of_acquisition
    from parts
),

final as (
    select
        cast(customer_id as string) as customer_id,
        cast(as_of as date) as as_of,
        cast(currency as string) as currency,
        cast(net_sales_amount as decimal(18,4)) as net_sales_amount,
        cast(acquisition_amount as decimal(18,4)) as acquisition_amount,
        cast(maintenance_amount as decimal(18,4)) as maintenance_amount,
        cast(profit_amount as decimal(18,4)) as profit_amount,
        cast({{ difference('clv_formula_a_realised', 'realised_net_of_costs') }} as decimal(18,4)) as formula_a_difference,
        cast({{ difference('formula_b_profit', 'profit_amount') }} as decimal(18,4)) as formula_b_difference,
        cast({{ difference('clv_formula_c_realised', 'realised_net_of_acquisition') }} as decimal(18,4)) as formula_c_difference,
        cast({{ difference('clv_formula_a_expected', '(expected_net_of_acquisition - maintenance_amount)') }} as decimal(18,4))
            as formula_a_expected_difference,
        cast({{ difference('clv_formula_b_expected', 'expected_profit') }} as decimal(18,4)) as formula_b_expected_difference,
        cast({{ difference('clv_formula_c_expected', 'expected_net_of_acquisition') }} as decimal(18,4)) as formula_c_expected_difference,
        cast({{ difference('historic_margin_amount', 'profit_less_maintenance') }} as decimal(18,4)) as historic_margin_difference,
        cast({{ difference('rate_margin', 'buyer_profit_less_maintenance') }} as decimal(18,4)) as historic_margin_per_year_difference,
        cast({{ difference('historic_net_value_amount', 'profit_less_costs') }} as decimal(18,4)) as historic_net_value_difference
    from compared
)

select * from final
