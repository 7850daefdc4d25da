-- One row per customer known on as_of, neither a test nor the unknown one: where the customer stands today, from every mart that says
-- something about it. A view, also in the published file, so that it costs nothing until it is read; a past day is in the marts behind
-- it. Activity, value and stage make the segment. What is said of identified customers only is NULL for anonymous ones.
{%- set models = ['growth5', 'maturity5', 'value5', 'classic5', 'relation5'] %}
{%- set tags = ['activity_level', 'value_tier', 'relation_tier', 'member_level'] %}
{%- set rfm_columns = ['recency_days', 'frequency', 'monetary_amount', 'r_score', 'f_score', 'm_score', 'is_one_time_buyer',
    'chinese_class', 'western_class'] %}
{%- set worth_columns = ['currency', 'order_count', 'net_sales_amount', 'gross_profit_lifetime', 'clv_formula_a_realised',
    'clv_formula_b_per_year', 'clv_formula_c_realised', 'predicted_value_365d', 'p_alive', 'first_order_on', 'last_order_on'] %}
with

-- A published view reads published tables only.
as_of as (
    select max(as_of) as as_of from {{ ref('lifecycle_stage_monthly') }}
),

stages as (
    select
        customer_id,
        max(business_type) as business_type,
        {%- for model in models %}
        max(case when model_code = '{{ model }}' then stage_code end) as {{ model }}_stage,
        {%- endfor %}
        max(case when is_lost then 1 else 0 end) = 1 as is_lost
    from {{ ref('customer_lifecycle_intervals') }}
    where valid_to is null
    group by customer_id
),

losses as (
    select customer_id, max(occurred_on) as lost_on
    from {{ ref('customer_lifecycle_transitions') }}
    where model_code = 'maturity5' and to_stage_code = 'lost'
    group by customer_id
),

tags as (
    select
        customer_id,
        {%- for tag in tags %}
        max(case when tag_code = '{{ tag }}' then tag_value end) as {{ tag }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('customer_tag') }}
    where valid_to is null
    group by customer_id
),

predictions as (
    select * from {{ ref('clv_prediction') }}
),

-- The warning comes after the early one and says more; it is also the greater code.
warnings as (
    select
        customer_id,
        case when max(alert_code) = 'churn_warning' then 'warning' else 'pre_warning' end as churn_warning,
        max_by(opened_on, alert_code) as churn_warning_on
    from {{ ref('customer_alert') }}
    where is_open and alert_code in ('churn_warning', 'churn_pre_warning')
    group by customer_id
),

rfm as (
    select customer_rfm.* from {{ ref('customer_rfm') }} as customer_rfm
    inner join as_of on customer_rfm.as_of = as_of.as_of
),

worth as (
    select
        customer_clv.*,
        -- Who is still a customer stays as long as their stage leaves to expect; who is none any more stopped at the last order.
        customer_clv.recency_age_days
        + customer_clv.p_alive * (customer_clv.days_since_last_order + customer_clv.expected_years * 365.25) as expected_days
    from {{ ref('customer_clv') }} as customer_clv
    inner join as_of on customer_clv.as_of = as_of.as_of
),

joined as (
    select
        customers.customer_id,
        as_of.as_of,
        customers.is_anonymous,
        customers.first_touch_on,
        customers.registered_on,
        customers.first_channel,
        stages.business_type,
        {%- for model in models %}
        stages.{{ model }}_stage,
        {%- endfor %}
        stages.is_lost,
        case when stages.is_lost then losses.lost_on end as lost_on,
        {%- for tag in tags %}
        tags.{{ tag }},
        {%- endfor %}
        warnings.churn_warning,
        warnings.churn_warning_on,
        tags.activity_level || '.' || coalesce(tags.value_tier, 'none') || '.' || stages.maturity5_stage as segment_code,
        {%- for column in rfm_columns %}
        rfm.{{ column }},
        {%- endfor %}
        {%- for column in worth_columns %}
        worth.{{ column }},
        {%- endfor %}
        predictions.p_order_90d,
        case when worth.order_count = 1 then predictions.p_order_90d end as p_second_order_90d,
        predictions.expected_next_order_on,
        predictions.churn_probability,
        predictions.churn_band,
        cast(round(worth.expected_days) as bigint) as lifespan_expected_days
    from {{ ref('dim_customer') }} as customers
    cross join as_of
    left join stages on customers.customer_id = stages.customer_id
    left join losses on customers.customer_id = losses.customer_id
    left join tags on customers.customer_id = tags.customer_id
    left join warnings on customers.customer_id = warnings.customer_id
    left join rfm on customers.customer_id = rfm.customer_id
    left join worth on customers.customer_id = worth.customer_id
    left join predictions on customers.customer_id = predictions.customer_id
    where stages.customer_id is not null or worth.customer_id is not null
),

final as (
    select
        joined.*,
        case when segment_code is not null then cast(count(*) over (partition by segment_code) as bigint) end as segment_customer_count,
        {{ days_between('first_order_on', 'last_order_on') }} as lifespan_observed_days,
        {{ days_between('first_order_on', 'lost_on') }} as lifespan_to_loss_days
    from joined
)

select * from final
