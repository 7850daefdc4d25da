-- One row per model, stage, month and metric: the value, the target with its status where the seed kpi_target has one, the month
-- before and the same month of the year before. A ratio brings its numerator and denominator, so that stages and months can be
-- added up as sum by sum; the value of a metric that does not apply to the stage, or whose source is not landed, is NULL.
{%- set metrics = scorecard_metrics() %}
{%- do require_targets() %}
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
        metrics.metric_code,
        metrics.metric_kind,
        metrics.unit,
        metrics.better,
        metrics.label_en,
        metrics.label_zh,
        case metrics.metric_code
            {%- for metric_code, (numerator, denominator, wait) in metrics.items() %}
            when '{{ metric_code }}' then {% if wait %}case when {{ days_later('stage_months.measured_on', wait) }} <= as_of.as_of and stage_months.is_complete then {% endif -%}
                cast({{ numerator }} as decimal(18, 4)){{ ' end' if wait }}
            {%- endfor %}
        end as numerator_value,
        case metrics.metric_code
            {%- for metric_code, (numerator, denominator, wait) in metrics.items() if denominator %}
            when '{{ metric_code }}' then {% if wait %}case when {{ days_later('stage_months.measured_on', wait) }} <= as_of.as_of and stage_months.is_complete then {% endif -%}
                cast({{ denominator }} as decimal(18, 4)){{ ' end' if wait }}
            {%- endfor %}
        end as denominator_value
    from stage_months
    cross join metrics
    cross join {{ ref('int_core__as_of') }} as as_of
),

measured as (
    select
        counted.*,
        case
            when metric_kind <> 'ratio' then cast(numerator_value as decimal(18, 6))
            else cast(cast(numerator_value as double) / nullif(cast(denominator_value as double), 0) as decimal(18, 6))
        end as actual_value
    from counted
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
