-- One row per model, stage, month and metric: the value, the target with its status where the seed kpi_target has one, the month
-- before and the same month of the year before. A ratio brings its numerator and denominator, so that stages and months can be
-- added up as sum by sum; the value of a metric that does not apply to the stage, or whose source is not landed, is NULL.
{%- set metrics = {
    'customers_in_stage': ('customer_count', none),
    'stage_entries': ('entry_count', none),
    'stage_upgrade_rate': ('upgraded_count', 'starting_count'),
    'reactivation_rate': ('reactivated_count', 'starting_count'),
    'churn_rate': ('churned_count', 'starting_kept_count'),
    'orders': ('order_count', none),
    'buyers': ('buyer_count', none),
    'net_sales': ('net_sales_amount', none),
    'aov': ('net_sales_amount', 'rated_order_count'),
    'registrations': ('registration_count', none),
    'impressions': ('impression_count', none),
    'clicks': ('click_count', none),
    'ctr': ('click_count', 'impression_count'),
    'views': ('view_count', none),
} %}
{%- set in_order = 'partition by model_code, stage_code, metric_code order by month_on nulls last' %}
with

stage_months as (
    select * from {{ ref('int_lifecycle__stage_months') }}
),

measured as (
    {%- for metric_code, (numerator, denominator) in metrics.items() %}
    select
        model_code,
        stage_code,
        month_on,
        measured_on,
        is_complete,
        '{{ metric_code }}' as metric_code,
        cast({{ numerator }} as decimal(18, 4)) as numerator_value,
        cast({{ denominator or 'null' }} as decimal(18, 4)) as denominator_value,
        {%- if denominator %}
        cast(cast({{ numerator }} as double) / nullif({{ denominator }}, 0) as decimal(18, 6)) as actual_value
        {%- else %}
        cast({{ numerator }} as decimal(18, 6)) as actual_value
        {%- endif %}
    from stage_months
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
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
        metrics.metric_kind,
        metrics.unit,
        metrics.label_en,
        metrics.label_zh,
        compared.actual_value,
        compared.numerator_value,
        compared.denominator_value,
        targets.target_value,
        case
            when compared.actual_value is null or targets.target_value is null then null
            when metrics.better = 'higher' and compared.actual_value >= targets.target_value then 'met'
            when metrics.better = 'lower' and compared.actual_value <= targets.target_value then 'met'
            else 'missed'
        end as target_status,
        compared.previous_value,
        compared.year_ago_value,
        cast(
            cast(compared.actual_value as double) / nullif(cast(compared.year_ago_value as double), 0) - 1 as decimal(18, 6)
        ) as year_on_year_rate
    from compared
    inner join {{ ref('stage_metric') }} as metrics on compared.metric_code = metrics.metric_code
    left join {{ ref('kpi_target') }} as targets
        on
            compared.model_code = targets.model_code
            and compared.stage_code = targets.stage_code
            and compared.month_on = targets.month_on
            and compared.metric_code = targets.metric_code
)

select * from final
