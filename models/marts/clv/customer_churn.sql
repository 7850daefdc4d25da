-- One row per customer to whom the model run that holds on as_of gives a churn probability: how likely, warned of or not, and what was
-- last known of them. The signals are what stands beside churn, not why it comes: see clv_churn_reason.
{%- set signals = {'last_order_refunded': 'is_last_order_refunded', 'last_nps_low': 'is_last_nps_low', 'ticket_open': 'is_ticket_open',
    'price_risen': 'is_price_risen'} %}
with

predictions as (
    select * from {{ ref('clv_prediction') }}
    where churn_probability is not null
),

-- The warning comes after the early one and says more; it is also the greater code.
warnings as (
    select
        customer_id,
        max(alert_code) as alert_code,
        max_by(opened_on, alert_code) as opened_on
    from {{ ref('customer_alert') }}
    where is_open and alert_code in ('churn_warning', 'churn_pre_warning')
    group by customer_id
),

final as (
    select
        predictions.customer_id,
        predictions.as_of,
        predictions.predicted_on,
        predictions.model_run_id,
        predictions.churn_rule,
        predictions.churn_probability,
        predictions.churn_band,
        cast(case warnings.alert_code when 'churn_warning' then 'warning' when 'churn_pre_warning' then 'pre_warning' end as string)
            as churn_warning,
        cast(warnings.opened_on as date) as churn_warning_on,
        {% for flag in signals.values() -%}
        signals.{{ flag }},
        {% endfor -%}
        signals.last_channel_code,
        cast(nullif(substr(
            {%- for code, flag in signals.items() %}
            case when signals.{{ flag }} then ', {{ code }}' else '' end{{ " ||" if not loop.last }}
            {%- endfor %},
            3
        ), '') as string) as signal_codes
    from predictions
    left join {{ ref('int_stages__last_signals') }} as signals
        on predictions.customer_id = signals.customer_id and predictions.as_of = signals.as_of
    left join warnings on predictions.customer_id = warnings.customer_id
)

select * from final
