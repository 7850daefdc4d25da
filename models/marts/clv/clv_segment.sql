-- One row per segment of buyers on as_of: what its customers have been worth and are predicted to be worth.
-- Who has a contract is a buyer too, also without an order; then means of what orders brought leave them out.
-- Every buyer is in one segment of each type; who lacks the attribute is in the segment unknown. A segment of fewer than 30
-- customers shows no figure, nor does the next larger one where that is the only one of its type, since the total would tell.
-- Old customers have had more time to spend, so the standardised mean weighs each band of tenure as all buyers have it.
-- Descriptive: people of a segment differ in more than its attribute.
{%- set types = ['all_buyers', 'age_band', 'gender', 'region', 'channel', 'category', 'tier', 'stage'] %}
{%- set figures = [
    'mean_margin_amount', 'median_margin_amount', 'standardised_margin_amount', 'mean_net_sales_amount', 'aov_amount', 'mean_cac_amount',
    'predicted_value_365d', 'mean_predicted_value_365d', 'predicted_low_365d', 'predicted_high_365d'
] %}
with

people as (
    select
        customer_id,
        gender,
        coalesce(province, country) as region,
        extract(year from birth_date) * 10000 + extract(month from birth_date) * 100 + extract(day from birth_date) as born_number
    from {{ ref('dim_customer') }}
),

buyers as (
    select
        clv.*,
        people.gender,
        people.region,
        categories.category,
        extract(year from clv.as_of) * 10000 + extract(month from clv.as_of) * 100 + extract(day from clv.as_of) - people.born_number
            as age_number
    from {{ ref('customer_clv') }} as clv
    inner join {{ ref('int_core__as_of') }} as as_of on clv.as_of = as_of.as_of
    inner join people on clv.customer_id = people.customer_id
    left join {{ ref('customer_affinity') }} as categories
        on clv.customer_id = categories.customer_id and categories.valid_to is null and categories.affinity_rank = 1
    where clv.order_count > 0 or clv.prediction_basis = 'contractual'
),

described as (
    select
        *,
        'all' as all_buyers,
        case
            when age_number < 180000 then 'under 18'
            {% for first, last in [(18, 24), (25, 34), (35, 44), (45, 54), (55, 64)] -%}
            when age_number < {{ last + 1 }}0000 then '{{ first }}-{{ last }}'
            {% endfor -%}
            when age_number < 1200000 then '65 and over'
        end as age_band,
        acquisition_channel as channel,
        clv_tier as tier,
        stage_code as stage,
        case
            when years_observed is null then 0
            {% for years in [0.25, 0.5, 1, 2] -%}
            when years_observed < {{ years }} then {{ loop.index }}
            {% endfor -%}
            else 5
        end as tenure_band
    from buyers
),

members as (
    {% for type in types -%}
    select '{{ type }}' as segment_type, coalesce({{ type }}, 'unknown') as segment_value, described.* from described
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

tenures as (
    select
        segment_type,
        segment_value,
        tenure_band,
        count(*) as customer_count,
        cast(avg(gross_profit_lifetime) as decimal(28,9)) as mean_margin
    from members
    group by segment_type, segment_value, tenure_band
),

standardised as (
    select
        tenures.segment_type,
        tenures.segment_value,
        sum(tenures.mean_margin * everybody.customer_count)
        / nullif(sum(case when tenures.mean_margin is not null then everybody.customer_count end), 0) as standardised_margin_amount
    from tenures
    inner join tenures as everybody on tenures.tenure_band = everybody.tenure_band and everybody.segment_type = 'all_buyers'
    group by tenures.segment_type, tenures.segment_value
),

used as (
    select distinct model_run_id, model_name from {{ ref('clv_prediction') }} where prediction_basis = 'model'
),

tested as (
    select m.horizon_days, m.actual_value / nullif(m.predicted_value, 0) as ratio, max(m.horizon_days) over () as longest_days
    from {{ ref('clv_backtest_metric') }} as m
    inner join used on m.model_run_id = used.model_run_id and m.model_name = used.model_name
    where m.measure = 'value' and m.metric = 'bias'
),

-- How far the total was off at the origins of the backtest, of a year if history allows: the only honest band of a sum.
band as (
    select max(horizon_days) as band_horizon_days, min(ratio) as low_ratio, max(ratio) as high_ratio from tested
    where horizon_days = longest_days
),

summed as (
    select
        segment_type,
        segment_value,
        max(as_of) as as_of,
        max(currency) as currency,
        count(*) as customer_count,
        avg(gross_profit_lifetime) as mean_margin_amount,
        median(cast(gross_profit_lifetime as double)) as median_margin_amount,
        avg(net_sales_amount) filter (where order_count > 0) as mean_net_sales_amount,
        cast(sum(net_sales_amount) as double) / nullif(sum(order_count), 0) as aov_amount,
        avg(cac_amount) filter (where order_count > 0) as mean_cac_amount,
        cast(sum(order_count) as double) / nullif(count(*), 0) as orders_per_customer,
        sum(order_count) / nullif(cast(sum(years_observed) as double), 0) as orders_per_year,
        avg(years_observed) as mean_years_observed,
        sum(predicted_value_365d) as predicted_value_365d,
        avg(predicted_value_365d) as mean_predicted_value_365d
    from members
    group by segment_type, segment_value
),

measured as (
    select
        summed.*,
        standardised.standardised_margin_amount,
        band.band_horizon_days,
        cast(summed.predicted_value_365d as double) * band.low_ratio as predicted_low_365d,
        cast(summed.predicted_value_365d as double) * band.high_ratio as predicted_high_365d,
        sum(summed.predicted_value_365d) over (partition by summed.segment_type) as all_predicted_365d,
        {{ is_shown('summed.segment_type', 'summed.customer_count', 'summed.segment_value') }} as is_shown
    from summed
    inner join standardised on summed.segment_type = standardised.segment_type and summed.segment_value = standardised.segment_value
    cross join band
),

final as (
    select
        cast(segment_type as string) as segment_type,
        cast(segment_value as string) as segment_value,
        cast(as_of as date) as as_of,
        cast(currency as string) as currency,
        not is_shown as is_suppressed,
        cast(case when is_shown then customer_count end as bigint) as customer_count,
        {% for figure in figures -%}
        {{ as_money('case when is_shown then ' ~ figure ~ ' end') }} as {{ figure }},
        {% endfor -%}
        {% for figure in ['orders_per_customer', 'orders_per_year', 'mean_years_observed'] -%}
        cast(case when is_shown then {{ figure }} end as decimal(18,6)) as {{ figure }},
        {% endfor -%}
        case when is_shown then {{ share('predicted_value_365d', 'all_predicted_365d') }} end as predicted_value_rate,
        cast(case when is_shown and predicted_low_365d is not null then band_horizon_days end as bigint) as band_horizon_days
    from measured
)

select * from final
