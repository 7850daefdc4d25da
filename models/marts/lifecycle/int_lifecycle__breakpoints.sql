-- One row per customer and day on which a stage may change: the event days of int_lifecycle__states, and the days on
-- which time alone reaches a threshold of the customer's business type. The first rule of each model that matches stands
-- in a column <model>_clause of its own, as `stage.clause`.
with

states as (
    select * from {{ ref('int_lifecycle__states') }}
),

clocks as (
    {{ lifecycle_clock_rows() }}
),

ripening as (
    select
        states.*,
        {{ days_later(lifecycle_anchor('clocks.feature', 'states'), 'clocks.age_days') }} as seen_on
    from states
    inner join clocks on states.business_type = clocks.business_type
),

-- A threshold counts where it is reached before the next event; on an event day the event's own row says it already.
days as (
    select
        states.*,
        day_on as seen_on
    from states
    union all
    select distinct ripening.*
    from ripening
    cross join {{ ref('int_core__as_of') }} as as_of
    where
        ripening.seen_on > ripening.day_on
        and (ripening.seen_on < ripening.next_day_on or ripening.next_day_on is null)
        and ripening.seen_on <= as_of.as_of
),

features as (
    select
        customer_number,
        seen_on as day_on,
        business_type,
        {{ lifecycle_feature_columns() }}
    from days
),

matched as (
    select
        customer_number,
        day_on,
        business_type
        {%- for model_code in lifecycle_models() %},
        {{ lifecycle_clause(model_code) }} as {{ model_code }}_clause
    {%- endfor %}
    from features
),

final as (
    select
        matched.*,
        split_part(maturity5_clause, '.', 1) = 'lost' as is_lost,
        split_part(maturity5_clause, '.', 1) = 'dormant' as is_dormant,
        split_part(value5_clause, '.', 1) = 'high_value' as is_high_value
    from matched
)

select * from final
