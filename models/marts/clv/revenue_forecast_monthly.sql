-- One row per month of the 365 days after the prediction and month of first order: net sales to expect of buyers so far, and of new ones.
-- Subscribers without an order belong to the month of their first payment; new ones are not assumed.
-- What a horizon brings is spread evenly over its days. New ones are assumed to come as evenly as in the year before, to spend as much
-- on their first day, and to go on as those do who came in the last 30 days; so the forecast knows no season.
{%- set horizons = [30, 90, 180, 365] %}
with

predictions as (
    select
        clv.first_order_on,
        coalesce(clv.first_order_on, {{ days_later('predictions.predicted_on', '-predictions.tenure_days') }}) as joined_on,
        predictions.*
    from {{ ref('clv_prediction') }} as predictions
    inner join {{ ref('customer_clv') }} as clv
        on predictions.customer_id = clv.customer_id and predictions.as_of = clv.as_of
    where clv.order_count > 0 or predictions.prediction_basis = 'contractual'
),

origin as (
    select max(predicted_on) as predicted_on, max(as_of) as as_of, max(currency) as currency, min(first_order_on) as first_on
    from predictions
),

months as (
    select
        dates.month_on,
        origin.as_of,
        origin.predicted_on,
        origin.currency,
        count(*) as day_count,
        min({{ days_between('origin.predicted_on', 'dates.date_on') }}) - 1 as days_before,
        max({{ days_between('origin.predicted_on', 'dates.date_on') }}) as days_after,
        min(dates.date_on) = dates.month_on and max(dates.date_on) = last_day(dates.month_on) as is_complete
    from {{ ref('dim_date') }} as dates
    inner join origin
        on dates.date_on > origin.predicted_on and dates.date_on <= {{ days_later('origin.predicted_on', 365) }}
    group by dates.month_on, origin.as_of, origin.predicted_on, origin.currency
),

cohorts as (
    select
        {{ month_of('joined_on') }} as cohort_month_on,
        count(expected_revenue_365d_amount) as customer_count,
        {%- for days in horizons %}
        cast(sum(expected_revenue_{{ days }}d_amount) as double) as expected_{{ days }}d
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from predictions
    group by {{ month_of('joined_on') }}
),

newcomers as (
    select
        count(*) / nullif(cast(least(max({{ days_between('origin.first_on', 'origin.predicted_on') }}) + 1, 365) as double), 0) as a_day,
        avg(days.net_sales_amount) as first_day_amount,
        {%- for days in horizons %}
        avg(recent.expected_revenue_{{ days }}d_amount) as expected_{{ days }}d
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from predictions
    cross join origin
    left join {{ ref('clv_customer_day') }} as days
        on predictions.customer_id = days.customer_id and predictions.first_order_on = days.day_on
    left join predictions as recent
        on predictions.customer_id = recent.customer_id and recent.frequency = 0 and recent.tenure_days <= 30
    where predictions.first_order_on > {{ days_later('origin.predicted_on', -365) }}
),

expected as (
    select
        months.*,
        'existing' as cohort_kind,
        cohorts.cohort_month_on,
        cast(cohorts.customer_count as double) as customers,
        {{ clv_expected_within('cohorts', 'months.days_after') }}
        - ({{ clv_expected_within('cohorts', 'months.days_before') }}) as expected_amount
    from cohorts
    cross join months
    union all
    select
        months.*,
        'assumed_new' as cohort_kind,
        arrivals.month_on as cohort_month_on,
        newcomers.a_day * arrivals.day_count as customers,
        newcomers.a_day * arrivals.day_count * (
            case when arrivals.month_on = months.month_on then newcomers.first_day_amount else 0 end
            -- They come in the middle of their month, on average.
            + {{ clv_expected_within('newcomers', '(months.days_after - (arrivals.days_before + arrivals.days_after) / 2.0)') }}
            - ({{ clv_expected_within('newcomers', '(months.days_before - (arrivals.days_before + arrivals.days_after) / 2.0)') }})
        ) as expected_amount
    from months
    inner join months as arrivals on months.month_on >= arrivals.month_on
    cross join newcomers
),

-- How far the total of a year was off in backtests, as for segments.
band as (
    select
        max(cast(predicted_low_365d as double) / nullif(cast(predicted_value_365d as double), 0)) as low_ratio,
        max(cast(predicted_high_365d as double) / nullif(cast(predicted_value_365d as double), 0)) as high_ratio
    from {{ ref('clv_segment') }}
    where segment_type = 'all_buyers'
),

final as (
    select
        cast(expected.month_on as date) as month_on,
        cast(expected.cohort_kind as string) as cohort_kind,
        cast(expected.cohort_month_on as date) as cohort_month_on,
        cast(expected.as_of as date) as as_of,
        cast(expected.predicted_on as date) as predicted_on,
        cast(expected.currency as string) as currency,
        cast(expected.day_count as bigint) as day_count,
        coalesce(expected.is_complete, false) as is_complete,
        cast(expected.customers as decimal(18,6)) as customer_count,
        {{ as_money('expected.expected_amount') }} as expected_net_sales_amount,
        {{ as_money('expected.expected_amount * band.low_ratio') }} as expected_net_sales_low_amount,
        {{ as_money('expected.expected_amount * band.high_ratio') }} as expected_net_sales_high_amount
    from expected
    cross join band
)

select * from final
