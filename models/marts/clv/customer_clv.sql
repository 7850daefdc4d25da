-- One row per customer and as_of: what the customer has been worth so far, by three formulas, and is expected to be worth.
-- A cost whose source is not landed is NULL, and so is every formula that subtracts it: cac for customers won before the first
-- month with acquisition spend, maintenance as long as no touch cost, benefit or spend row exists. What is expected or predicted
-- is so today only: it is NULL on the days before, and without a prediction.
{#- The cost of keeping a customer ends with the customer, and falls in the middle of the year on average. #}
{%- set keeping = 'expected.maintenance_per_year * cast(coalesce(predictions.p_alive, 1) as double) * exp(-0.5 * ln(1 + '
    ~ setting('clv_annual_discount_rate') ~ '))' %}
with

days as (
    select as_of, is_latest from {{ ref('int_calendar__stored_days') }}
),

customer_values as (
    select * from {{ ref('int_clv__customer_values') }}
),

today as (
    select as_of from days where is_latest
),

stages as (
    select intervals.customer_id, today.as_of, intervals.stage_code
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    cross join today
    where intervals.model_code = 'maturity5' and intervals.valid_to is null
),

-- What the last year cost for each year of it that the customer was one.
recent_costs as (
    select
        facts.customer_id,
        sum(coalesce(facts.service_cost_amount, 0) + coalesce(facts.touch_cost_amount, 0) + coalesce(facts.benefit_cost_amount, 0))
            as cost_amount
    from {{ ref('clv_customer_day') }} as facts
    where facts.day_on > {{ days_later('facts.as_of', -365) }}
    group by facts.customer_id
),

expected as (
    select
        customer_values.*,
        case
            when days.is_latest and customer_values.maintenance_amount is not null
                then coalesce(cast(recent_costs.cost_amount as double), 0) / nullif(least(customer_values.years_observed, 1), 0)
        end as maintenance_per_year,
        stages.stage_code,
        case when customer_values.order_count > 0 then lifetimes.expected_years end as expected_years,
        customer_values.historic_margin_per_year * cast(lifetimes.discounted_years as double) as margin_expected,
        customer_values.net_sales_per_year * cast(lifetimes.expected_years as double) as net_sales_expected
    from customer_values
    inner join days on customer_values.as_of = days.as_of
    left join recent_costs on customer_values.customer_id = recent_costs.customer_id
    left join stages on customer_values.customer_id = stages.customer_id and customer_values.as_of = stages.as_of
    left join {{ ref('int_clv__stage_lifetimes') }} as lifetimes on stages.stage_code = lifetimes.stage_code
),

final as (
    select
        expected.customer_id,
        expected.as_of,
        expected.currency,
        expected.first_order_on,
        expected.last_order_on,
        expected.order_count,
        expected.frequency,
        expected.recency_age_days,
        expected.tenure_days,
        expected.days_since_last_order,
        expected.net_sales_amount,
        expected.gross_profit_lifetime,
        expected.margin_source,
        expected.margin_source_rate,
        expected.margin_known_rate,
        expected.years_observed,
        expected.aov_amount,
        expected.orders_per_year,
        expected.acquisition_channel,
        expected.acquisition_campaign,
        expected.cac_basis,
        expected.cac_amount,
        expected.maintenance_amount,
        expected.historic_margin_amount,
        expected.historic_margin_per_year,
        expected.historic_net_value_amount,
        expected.clv_formula_a_realised,
        expected.clv_formula_b_per_year,
        expected.clv_formula_c_realised,
        cast(expected.stage_code as string) as stage_code,
        cast(expected.expected_years as decimal(18,6)) as expected_years,
        {{ as_money('expected.net_sales_expected - expected.cac_amount - expected.maintenance_amount') }} as clv_formula_a_expected,
        {{ as_money('expected.clv_formula_b_per_year * cast(expected.expected_years as double)') }} as clv_formula_b_expected,
        {{ as_money('expected.net_sales_expected - expected.cac_amount') }} as clv_formula_c_expected,
        {{ as_money('expected.margin_expected') }} as formula_clv_amount,
        predictions.predicted_on,
        predictions.prediction_basis,
        {% for days in [30, 90, 180, 365] -%}
        predictions.expected_orders_{{ days }}d,
        predictions.predicted_value_{{ days }}d,
        {% endfor -%}
        {{ as_money('case when predictions.predicted_value_365d is not null then ' ~ keeping ~ ' end') }}
            as expected_maintenance_365d_amount,
        {{ as_money('cast(predictions.predicted_value_365d as double) - ' ~ keeping) }} as predicted_net_value_365d,
        {{ as_money('expected.historic_margin_amount + predictions.predicted_value_365d') }} as clv_total_365d_amount,
        {{ share('(expected.historic_margin_amount + predictions.predicted_value_365d)', 'expected.cac_amount') }} as clv_to_cac_rate,
        predictions.p_alive,
        predictions.clv_tier
    from expected
    left join {{ ref('clv_prediction') }} as predictions
        on expected.customer_id = predictions.customer_id and expected.as_of = predictions.as_of
)

select * from final
