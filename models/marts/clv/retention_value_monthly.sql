-- One row per month of first order and stage on as_of: what one more month with a customer is worth.
-- A month counts as retained while the customer is not lost. The margin so far per retained month says what a month has brought;
-- the predicted value per month, what an average month of the next twelve will bring.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

buyers as (
    select clv.*
    from {{ ref('customer_clv') }} as clv
    inner join as_of on clv.as_of = as_of.as_of
    where clv.order_count > 0
),

retained as (
    select
        intervals.customer_id,
        sum({{ days_between('greatest(intervals.valid_from, buyers.first_order_on)', 'coalesce(intervals.valid_to, buyers.as_of)') }})
            as retained_days
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    inner join buyers on intervals.customer_id = buyers.customer_id
    where
        intervals.model_code = 'maturity5'
        and not intervals.is_lost
        and coalesce(intervals.valid_to, buyers.as_of) > buyers.first_order_on
    group by intervals.customer_id
),

cells as (
    select
        {{ month_of('buyers.first_order_on') }} as cohort_month_on,
        coalesce(buyers.stage_code, 'unknown') as stage_code,
        max(buyers.as_of) as as_of,
        max(buyers.currency) as currency,
        count(*) as customer_count,
        -- A customer of today has been one for a day.
        sum(greatest(coalesce(retained.retained_days, 0), 1)) * 12 / 365.25 as retained_months,
        sum(buyers.gross_profit_lifetime) as gross_profit_lifetime,
        sum(buyers.predicted_value_365d) as predicted_value_365d,
        count(buyers.predicted_value_365d) as predicted_customer_count
    from buyers
    left join retained on buyers.customer_id = retained.customer_id
    group by {{ month_of('buyers.first_order_on') }}, coalesce(buyers.stage_code, 'unknown')
),

final as (
    select
        cast(cohort_month_on as date) as cohort_month_on,
        cast(stage_code as string) as stage_code,
        cast(as_of as date) as as_of,
        cast(currency as string) as currency,
        cast(customer_count as bigint) as customer_count,
        cast(retained_months as decimal(18,6)) as retained_months,
        {{ as_money('gross_profit_lifetime') }} as gross_profit_lifetime,
        {{ as_money('cast(gross_profit_lifetime as double) / nullif(cast(retained_months as double), 0)') }}
            as margin_per_retained_month_amount,
        {{ as_money('cast(predicted_value_365d as double) / nullif(predicted_customer_count, 0) / 12') }}
            as predicted_value_per_month_amount
    from cells
)

select * from final
