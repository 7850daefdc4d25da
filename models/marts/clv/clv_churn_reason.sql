-- One row per last signal and its value: how likely churn is beside it, and how much likelier than for all. A CORRELATION: it says
-- where to look, not why anybody leaves. Figures of fewer than 30 customers are hidden, and so are those that would tell them by
-- subtraction: of the others of a yes-or-no signal, and of the next larger channel where only one is hidden. A signal that nobody
-- has says nothing: perhaps its source is not landed.
{%- set flags = {'last_order_refunded': 'is_last_order_refunded', 'last_nps_low': 'is_last_nps_low', 'ticket_open': 'is_ticket_open',
    'price_risen': 'is_price_risen'} %}
with

customers as (
    select * from {{ ref('customer_churn') }}
),

cases as (
    {%- for code, flag in flags.items() %}
    select
        '{{ code }}' as signal_code,
        case when {{ flag }} then 'yes' else 'no' end as signal_value,
        as_of,
        model_run_id,
        churn_probability,
        churn_band
    from customers
    union all
    {%- endfor %}
    select
        'last_channel' as signal_code,
        coalesce(last_channel_code, 'unknown') as signal_value,
        as_of,
        model_run_id,
        churn_probability,
        churn_band
    from customers
),

counted as (
    select
        signal_code,
        signal_value,
        max(as_of) as as_of,
        max(model_run_id) as model_run_id,
        count(*) as customer_count,
        sum(churn_probability) as churn_sum,
        sum(case when churn_band = 'high' then 1 else 0 end) as high_count
    from cases
    group by signal_code, signal_value
),

compared as (
    select
        *,
        sum(customer_count) over signal as all_count,
        sum(churn_sum) over signal as all_sum,
        count(*) over signal as value_count,
        {{ is_shown('signal_code', 'customer_count', 'signal_value') }} as is_enough
    from counted
    window signal as (partition by signal_code)
),

judged as (
    select *, is_enough and (signal_code = 'last_channel' or value_count = 2) as is_shown
    from compared
),

final as (
    select
        cast(signal_code as string) as signal_code,
        cast(signal_value as string) as signal_value,
        cast(as_of as date) as as_of,
        cast(model_run_id as string) as model_run_id,
        not is_shown as is_suppressed,
        cast(case when is_shown then customer_count end as bigint) as customer_count,
        case when is_shown then {{ share('customer_count', 'all_count') }} end as customer_rate,
        case when is_shown then {{ share('churn_sum', 'customer_count') }} end as churn_rate,
        {{ share('all_sum', 'all_count') }} as all_churn_rate,
        case when is_shown then {{ share('high_count', 'customer_count') }} end as high_band_rate,
        case when is_shown then {{ share('churn_sum * all_count', 'customer_count * all_sum') }} end as lift
    from judged
)

select * from final
