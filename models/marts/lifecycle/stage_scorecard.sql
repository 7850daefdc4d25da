-- One row per model, stage, month and metric: the value, the target with its status where the seed kpi_target has one, the month
-- before and the same month of the year before. A ratio brings its numerator and denominator, so that stages and months can be
-- added up as sum by sum; the value of a metric that does not apply to the stage, or whose source is not landed, is NULL.
{#- Metrics: {code: [numerator, denominator or none, days after its month that the value takes to be settled]}. #}
{%- set metrics = {
    'customers_in_stage': ['customer_count', none],
    'stage_entries': ['entry_count', none],
    'stage_upgrade_rate': ['upgraded_count', 'starting_count'],
    'reactivation_rate': ['reactivated_count', 'starting_count'],
    'churn_rate': ['churned_count', 'starting_kept_count'],
    'impressions': ['impression_count', none],
    'views': ['view_count', none],
    'clicks': ['click_count', none],
    'ctr': ['click_count', 'impression_count'],
    'registrations': ['registration_count', none],
    'first_purchase_conversion_1d': ['converted_1d_count', 'convertible_count', 1],
    'first_purchase_conversion_7d': ['converted_7d_count', 'convertible_count', 7],
    'first_purchase_conversion_30d': ['converted_30d_count', 'convertible_count', 30],
    'first_purchase_conversion_90d': ['converted_90d_count', 'convertible_count', 90],
    'leads': ['lead_count', none],
    'dau': ['active_day_count', 'day_count'],
    'wau': ['week_active_count', none],
    'mau': ['month_active_count', none],
    'stickiness': ['active_day_count', 'month_active_count * day_count'],
    'retention_d1': ['retained_d1_count', 'registrant_count', 1],
    'retention_d7': ['retained_d7_count', 'registrant_count', 7],
    'retention_d30': ['retained_d30_count', 'registrant_count', 30],
    'session_seconds': ['session_seconds', 'session_count'],
    'orders': ['order_count', none],
    'buyers': ['buyer_count', none],
    'net_sales': ['net_sales_amount', none],
    'repurchase_rate_period': ['month_repeat_buyer_count', 'month_buyer_count'],
    'repurchase_rate_30d': ['repurchased_30d_count', 'first_buyer_count', 30],
    'repurchase_rate_90d': ['repurchased_90d_count', 'first_buyer_count', 90],
    'aov': ['net_sales_amount', 'rated_order_count'],
    'spend_per_buyer': ['buyer_net_sales_amount', 'buyer_count'],
    'purchase_frequency': ['year_order_count', 'year_buyer_count'],
    'lifespan_days': ['lifespan_days', 'lifespan_customer_count'],
    'referral_rate': ['referrer_count', 'active_customer_count'],
    'k_factor': ['joined_count', 'active_customer_count'],
    'shares': ['share_count', none],
    'nps': ['nps_points', 'nps_answer_count'],
    'ugc_posts': ['ugc_post_count', none],
    'ugc_contributor_rate': ['ugc_contributor_count', 'active_customer_count'],
    'csat': ['csat_satisfied_count', 'csat_answer_count'],
} %}
{%- do require_targets(metrics | list) %}
{%- set sides = [('numerator_value', 0), ('denominator_value', 1)] %}
{%- set in_order = 'partition by model_code, stage_code, metric_code order by month_on nulls last' %}
with

stage_months as (
    select * from {{ ref('int_lifecycle__stage_months') }}
),

metrics as (
    select * from {{ ref('stage_metric') }}
),

counted as (
    select
        stage_months.model_code,
        stage_months.stage_code,
        stage_months.month_on,
        stage_months.measured_on,
        stage_months.is_complete,
        metrics.metric_code, metrics.metric_kind, metrics.unit, metrics.better, metrics.label_en, metrics.label_zh,
        {%- for side, place in sides %}
        case metrics.metric_code
            {%- for metric_code, parts in metrics.items() if parts[place] %}
            when '{{ metric_code }}' then cast({{ parts[place] }} as decimal(18, 4))
            {%- endfor %}
        end as {{ side }},
        {%- endfor %}
        case metrics.metric_code
            {%- for metric_code, parts in metrics.items() if parts | length > 2 %}
            when '{{ metric_code }}' then {{ parts[2] }}
            {%- endfor %}
        end as wait_days
    from stage_months
    cross join metrics
),

settled as (
    select
        counted.*,
        wait_days is null or (is_complete and {{ days_later('measured_on', 'wait_days') }} <= as_of.as_of) as is_settled
    from counted
    cross join {{ ref('int_core__as_of') }} as as_of
),

measured as (
    select
        model_code, stage_code, month_on, measured_on, is_complete, metric_code, metric_kind, unit, better, label_en, label_zh,
        case when is_settled then numerator_value end as numerator_value,
        case when is_settled then denominator_value end as denominator_value,
        case
            when not is_settled then null
            when metric_kind <> 'ratio' then cast(numerator_value as decimal(18, 6))
            else cast(cast(numerator_value as double) / nullif(cast(denominator_value as double), 0) as decimal(18, 6))
        end as actual_value
    from settled
),

compared as (
    select
        measured.*,
        lag(actual_value) over ({{ in_order }}) as previous_value,
        lag(actual_value, 12) over ({{ in_order }}) as year_ago_value
    from measured
),

final as (
    select
        compared.model_code,
        compared.stage_code,
        compared.month_on,
        compared.measured_on,
        compared.is_complete,
        compared.metric_code,
        compared.metric_kind,
        compared.unit,
        compared.label_en,
        compared.label_zh,
        compared.actual_value,
        compared.numerator_value,
        compared.denominator_value,
        cast(targets.target_value as decimal(18, 6)) as target_value,
        case
            when compared.actual_value is null or targets.target_value is null then null
            when compared.better = 'higher' and compared.actual_value >= cast(targets.target_value as decimal(18, 6)) then 'met'
            when compared.better = 'lower' and compared.actual_value <= cast(targets.target_value as decimal(18, 6)) then 'met'
            else 'missed'
        end as target_status,
        compared.previous_value,
        compared.year_ago_value,
        cast(
            cast(compared.actual_value as double) / nullif(cast(compared.year_ago_value as double), 0) - 1 as decimal(18, 6)
        ) as year_on_year_rate
    from compared
    left join {{ ref('kpi_target') }} as targets
        on
            compared.model_code = targets.model_code
            and compared.stage_code = targets.stage_code
            and compared.month_on = cast(targets.month_on as date)
            and compared.metric_code = targets.metric_code
)

select * from final
