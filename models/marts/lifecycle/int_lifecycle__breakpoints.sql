-- One row per customer and day on which a stage may change: the event days of int_lifecycle__states, and the days on
-- which time alone reaches a threshold of the customer's business type. The first rule of each model that matches stands
-- in a column <model>_clause of its own, as `stage.clause`, and in <model>_adaptive_clause where the adaptive mode may differ.
with

states as (
    select * from {{ ref('int_lifecycle__states') }}
),

-- Nothing ripens between two days that follow each other, nor on a day that is looked at anyhow.
waiting as (
    select * from states
    where next_day_on is null or next_day_on > {{ days_later('day_on', 1) }} or not next_may_change_stage
),

ripening as (
    {{ lifecycle_ripening('waiting', columns=['customer_number', 'day_on', 'next_day_on', 'next_may_change_stage']) }}
),

-- A threshold counts where it is reached before the next event. On the day of the next event that event's own row says what holds,
-- and is looked at even where the event by itself changes nothing.
days as (
    select customer_number, day_on, day_on as seen_on from states where may_change_stage
    union all
    select distinct
        ripening.customer_number,
        case when ripening.seen_on = ripening.next_day_on then ripening.next_day_on else ripening.day_on end as day_on,
        ripening.seen_on
    from ripening
    where
        ripening.seen_on > ripening.day_on
        and (
            ripening.next_day_on is null
            or ripening.seen_on < ripening.next_day_on
            or (ripening.seen_on = ripening.next_day_on and not ripening.next_may_change_stage)
        )
        and ripening.seen_on <= (select as_of from {{ ref('int_core__as_of') }})
),

features as (
    select
        days.customer_number,
        days.seen_on as day_on,
        states.business_type,
        states.service_cycle_days,
        states.expected_gap_days,
        {{ lifecycle_feature_columns() }}
    from days
    inner join states on days.customer_number = states.customer_number and days.day_on = states.day_on
),

final as (
    select
        customer_number,
        day_on,
        business_type,
        {{ lifecycle_clause_columns() }}
    from features
)

select * from final
