-- One row per customer whom the run that holds on as_of knows: expected orders, net sales, margin and value with intervals.
-- The value is the discounted contribution margin (net sales where the run's margin_mode says revenue), truncated at the horizon.
-- Customers who are worth the same share a tier, the lower one.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

runs as (
    select distinct model_run_id from {{ ref('clv_model_run') }}
    where is_current
),

predictions as (
    select predictions.*
    from {{ source('clv', 'prediction') }} as predictions
    inner join runs on predictions.model_run_id = runs.model_run_id
    inner join {{ ref('dim_customer') }} as customers on predictions.customer_id = customers.customer_id
),

ranked as (
    select
        *,
        count(discounted_margin_365) over (order by discounted_margin_365 desc nulls last) as reached_count,
        count(discounted_margin_365) over () as valued_count
    from predictions
),

final as (
    select
        cast(ranked.customer_id as string) as customer_id,
        cast(as_of.as_of as date) as as_of,
        cast(ranked.as_of as date) as predicted_on,
        cast(ranked.model_run_id as string) as model_run_id,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(ranked.prediction_basis as string) as prediction_basis,
        cast(ranked.model_name as string) as model_name,
        cast(ranked.frequency as bigint) as frequency,
        cast(ranked.recency_age_days as bigint) as recency_age_days,
        cast(ranked.tenure_days as bigint) as tenure_days,
        cast(ranked.days_since_last_order as bigint) as days_since_last_order,
        cast(ranked.p_alive as decimal(18,6)) as p_alive,
        {% for days in [30, 90, 180, 365] -%}
        cast(ranked.p_order_{{ days }} as decimal(18,6)) as p_order_{{ days }}d,
        cast(ranked.expected_orders_{{ days }} as decimal(18,6)) as expected_orders_{{ days }}d,
        {{ as_money('ranked.expected_revenue_' ~ days) }} as expected_revenue_{{ days }}d_amount,
        {{ as_money('ranked.expected_margin_' ~ days) }} as expected_margin_{{ days }}d_amount,
        {{ as_money('ranked.discounted_margin_' ~ days) }} as predicted_value_{{ days }}d,
        {% endfor -%}
        {{ as_money('ranked.p05_365') }} as value_p05_365d_amount,
        {{ as_money('ranked.p50_365') }} as value_p50_365d_amount,
        {{ as_money('ranked.p95_365') }} as value_p95_365d_amount,
        cast(ranked.orders_p05_365 as decimal(18,6)) as orders_p05_365d,
        cast(ranked.orders_p95_365 as decimal(18,6)) as orders_p95_365d,
        cast(ranked.expected_next_order_on as date) as expected_next_order_on,
        cast(ranked.churn_probability as decimal(18,6)) as churn_probability,
        cast(ranked.churn_rule as string) as churn_rule,
        cast(case
            when ranked.churn_probability >= 0.66 then 'high'
            when ranked.churn_probability >= 0.33 then 'medium'
            when ranked.churn_probability is not null then 'low'
        end as string) as churn_band,
        case when ranked.discounted_margin_365 is not null then {{ share('ranked.reached_count', 'ranked.valued_count') }} end
            as value_rank_rate,
        cast(case
            when ranked.discounted_margin_365 is null then null
            {% for tier, share in [('platinum', 0.01), ('gold', 0.05), ('silver', 0.1), ('bronze', 0.25), ('medium', 0.5)] -%}
            when ranked.reached_count <= ceil({{ share }} * ranked.valued_count) then '{{ tier }}'
            {% endfor -%}
            else 'low'
        end as string) as clv_tier
    from ranked
    cross join as_of
)

select * from final
