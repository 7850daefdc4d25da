-- One row per subscription, in its newest state. Recurring revenue converts at the rate of its first day; a negative one is a
-- credit and keeps its sign.
with

subscriptions as (
    select
        s.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(person.is_test, false) as is_test,
        coalesce(s.currency, {{ setting_text('reporting_currency') }}) as mrr_currency,
        {{ local_day('s.start_at') }} as start_on,
        {{ ref_key('s', 'previous_ref') }} as previous_subscription_key
    from {{ ref('unified_subscription') }} as s
    {{ join_person('s', 'subscription') }}
    {{ join_ref('s', 'previous_ref', 'subscription') }}
    where not s.is_deleted
),

rated as (
    select
        s.*,
        {{ rate_of('s.mrr_currency') }} as fx_rate
    from subscriptions as s
    {{ join_rate('s.mrr_currency', 's.start_on') }}
),

final as (
    select
        {{ record_key('r') }} as subscription_key,
        r.source_system,
        r.customer_id,
        r.plan as plan_code,
        r.status,
        r.start_at,
        r.start_on,
        r.trial_start as trial_start_at,
        r.trial_end as trial_end_at,
        r.current_period_end as current_period_end_at,
        r.cancelled_at,
        r.ended_at,
        {{ local_day('r.trial_end') }} as trial_end_on,
        {{ local_day('r.current_period_end') }} as current_period_end_on,
        {{ local_day('r.cancelled_at') }} as cancelled_on,
        {{ local_day('r.ended_at') }} as ended_on,
        r.end_reason,
        r.mrr_currency as currency,
        r.mrr as original_mrr_amount,
        {{ converted('r.mrr', 'r.fx_rate') }} as mrr_amount,
        coalesce(r.mrr < 0, false) as is_credit,
        cast(r.seats as bigint) as seat_count,
        r.previous_subscription_key,
        r.is_test
    from rated as r
)

select * from final
