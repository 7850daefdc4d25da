-- One row per model with a lost stage, business type, month and last signal: how common the signal is among the buyers who became
-- lost in the month, and among those who are not lost. A correlation: it says where to look, not why anybody left. The lost stage
-- is the lowest silent one (lost of maturity5, sleeping of value5). Measured at the end of the month, or on as_of; whoever was
-- lost before the month, or came back within it, is not among the lost, and the former not among the others either.
{%- set flags = {'last_order_refunded': 'is_last_order_refunded', 'last_nps_low': 'is_last_nps_low', 'ticket_open': 'is_ticket_open',
    'price_risen': 'is_price_risen'} %}
{%- set groups = 'model_code, business_type, as_of' %}
with

days as (
    select as_of, {{ month_of('as_of') }} as month_on from {{ ref('int_calendar__stored_days') }}
),

signals as (
    select * from {{ ref('int_stages__last_signals') }}
),

lost_stages as (
    select model_code, stage_code from {{ ref('lifecycle_stage') }} where is_inactive and stage_rank = 1
),

losses as (
    select distinct transitions.customer_id, transitions.model_code, days.as_of
    from {{ ref('customer_lifecycle_transitions') }} as transitions
    inner join lost_stages
        on transitions.model_code = lost_stages.model_code and transitions.to_stage_code = lost_stages.stage_code
    inner join days on {{ month_of('transitions.occurred_on') }} = days.month_on and transitions.occurred_on <= days.as_of
),

buyers as (
    select
        intervals.model_code,
        intervals.business_type,
        signals.as_of,
        signals.customer_id,
        case when intervals.stage_code = lost_stages.stage_code then 1 else 0 end as is_lost,
        case when losses.customer_id is not null then 1 else 0 end as is_loss
    from signals
    inner join {{ ref('customer_lifecycle_intervals') }} as intervals
        on
            signals.customer_id = intervals.customer_id
            and signals.as_of >= intervals.valid_from
            and signals.as_of < coalesce(intervals.valid_to, cast('9999-12-31' as date))
    inner join lost_stages on intervals.model_code = lost_stages.model_code
    left join losses
        on
            signals.customer_id = losses.customer_id
            and intervals.model_code = losses.model_code
            and signals.as_of = losses.as_of
),

compared as (
    select * from buyers where is_lost = 0 or is_loss = 1
),

populations as (
    select {{ groups }}, sum(is_lost) as lost_count, sum(1 - is_lost) as kept_count
    from compared
    group by {{ groups }}
),

told as (
    {%- for code, flag in flags.items() %}
    select customer_id, as_of, '{{ code }}' as signal_code, 'yes' as signal_value from signals where {{ flag }}
    union all
    {%- endfor %}
    select customer_id, as_of, 'last_channel' as signal_code, last_channel_code as signal_value from signals
),

counted as (
    select
        compared.model_code, compared.business_type, compared.as_of, told.signal_code, told.signal_value,
        sum(compared.is_lost) as lost_with_signal_count,
        sum(1 - compared.is_lost) as kept_with_signal_count
    from compared
    inner join told on compared.customer_id = told.customer_id and compared.as_of = told.as_of
    group by compared.model_code, compared.business_type, compared.as_of, told.signal_code, told.signal_value
),

sources as (
    select 'last_order_refunded' as signal_code, min(refunded_on) as known_from from {{ ref('fct_refund') }}
    union all
    select 'last_nps_low' as signal_code, min(feedback_on) as known_from from {{ ref('fct_feedback') }} where feedback_kind = 'nps'
    union all
    select 'ticket_open' as signal_code, min(feedback_on) as known_from from {{ ref('fct_feedback') }}
    where feedback_kind in ('ticket', 'complaint')
    union all
    select 'price_risen' as signal_code, min(ordered_on) as known_from from {{ ref('fct_order_line') }}
),

grid as (
    select populations.*, sources.signal_code, 'yes' as signal_value, coalesce(sources.known_from <= populations.as_of, false) as is_known
    from populations
    cross join sources
    union all
    select populations.*, counted.signal_code, counted.signal_value, true as is_known
    from populations
    inner join counted
        on
            populations.model_code = counted.model_code
            and populations.business_type = counted.business_type
            and populations.as_of = counted.as_of
            and counted.signal_code = 'last_channel'
),

final as (
    select
        grid.model_code,
        grid.business_type,
        {{ month_of('grid.as_of') }} as month_on,
        cast(grid.signal_code as string) as signal_code,
        cast(grid.signal_value as string) as signal_value,
        grid.as_of as measured_on,
        grid.as_of = last_day(grid.as_of) as is_complete,
        cast(grid.lost_count as bigint) as lost_count,
        cast(case when grid.is_known then coalesce(counted.lost_with_signal_count, 0) end as bigint) as lost_with_signal_count,
        case when grid.is_known then {{ share('coalesce(counted.lost_with_signal_count, 0)', 'grid.lost_count') }} end as lost_rate,
        cast(grid.kept_count as bigint) as kept_count,
        cast(case when grid.is_known then coalesce(counted.kept_with_signal_count, 0) end as bigint) as kept_with_signal_count,
        case when grid.is_known then {{ share('coalesce(counted.kept_with_signal_count, 0)', 'grid.kept_count') }} end as kept_rate,
        case when grid.is_known then {{ share('coalesce(counted.lost_with_signal_count, 0) * grid.kept_count',
            'coalesce(counted.kept_with_signal_count, 0) * grid.lost_count') }} end as lift,
        grid.lost_count < 30 as is_small_sample
    from grid
    left join counted
        on
            grid.model_code = counted.model_code
            and grid.business_type = counted.business_type
            and grid.as_of = counted.as_of
            and grid.signal_code = counted.signal_code
            and grid.signal_value = counted.signal_value
)

select * from final
