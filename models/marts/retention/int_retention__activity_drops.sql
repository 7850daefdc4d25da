-- One row per customer, alert and fall of their activity: from the first day on which it may be reported until the day on which the
-- active days of the last 28 are no longer so few against the 28 before.
-- While everybody's activity is down the recording is doubted and not the customer: a fall that begins then is reported on
-- the first day after, if it is one by then.
with

rules as (
    {{ alert_rule_rows(is_share=true) }}
),

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select
        customers.customer_number,
        customers.customer_id,
        customers.business_type
    from {{ ref('int_lifecycle__customers') }} as customers
    inner join {{ ref('dim_customer') }} as known on customers.customer_id = known.customer_id
    where not known.is_anonymous
),

active_days as (
    select
        days.customer_id,
        days.day_on,
        days.active_event_count
    from {{ ref('fct_customer_day') }} as days
    cross join as_of
    where days.is_active and days.day_on <= as_of.as_of
),

changes as (
    {%- for age in [0, 28, 56] %}
    select
        customers.customer_number,
        {{ days_later('active_days.day_on', age) }} as day_on,
        {{ 1 if age == 0 else 0 }} as entered,
        {{ 1 if age == 28 else 0 }} as aged,
        {{ 1 if age == 56 else 0 }} as gone
    from active_days
    inner join customers on active_days.customer_id = customers.customer_id
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

days as (
    select
        changes.customer_number,
        changes.day_on,
        sum(changes.entered) as entered,
        sum(changes.aged) as aged,
        sum(changes.gone) as gone
    from changes
    cross join as_of
    where changes.day_on <= as_of.as_of
    group by changes.customer_number, changes.day_on
),

counted as (
    select
        days.customer_number,
        days.day_on,
        sum(days.entered - days.aged) over (partition by days.customer_number order by days.day_on nulls last) as active_days_28,
        sum(days.aged - days.gone) over (partition by days.customer_number order by days.day_on nulls last) as active_days_prev28,
        {{ last_known('types.business_type', 'partition by days.customer_number order by days.day_on nulls last') }} as business_type
    from days
    left join {{ ref('int_lifecycle__business_types') }} as types
        on days.customer_number = types.customer_number and days.day_on = types.day_on
),

judged as (
    select
        counted.customer_number,
        customers.customer_id,
        rules.alert_code,
        rules.business_type,
        rules.severity,
        counted.day_on,
        counted.active_days_prev28 >= rules.least_value
        and counted.active_days_28 <= rules.threshold_value * rules.ratio * counted.active_days_prev28 as is_fallen
    from counted
    inner join customers on counted.customer_number = customers.customer_number
    inner join rules on coalesce(counted.business_type, customers.business_type) = rules.business_type
),

turns as (
    select
        judged.*,
        coalesce(lag(is_fallen) over (partition by customer_number, alert_code order by day_on nulls last), false) as was_fallen
    from judged
),

falls as (
    select
        turns.*,
        lead(day_on) over (partition by customer_number, alert_code order by day_on nulls last) as recovered_on
    from turns
    where is_fallen <> was_fallen
),

population as (
    select
        calendar.date_on,
        count(active_days.customer_id) as active_count,
        coalesce(sum(active_days.active_event_count), 0) as event_count
    from {{ ref('dim_date') }} as calendar
    cross join as_of
    left join active_days on calendar.date_on = active_days.day_on
    where calendar.date_on between (select min(earliest.day_on) from active_days as earliest) and as_of.as_of
    group by calendar.date_on
),

usual as (
    select
        population.date_on,
        median(before.event_count) as event_count
    from population
    inner join population as before
        on population.date_on > before.date_on and population.date_on <= {{ days_later('before.date_on', 28) }}
    group by population.date_on
),

windows as (
    select
        population.date_on,
        population.event_count,
        sum(population.active_count) over (order by population.date_on nulls last rows between 27 preceding and current row)
            as active_count_28,
        sum(population.active_count) over (order by population.date_on nulls last rows between 55 preceding and 28 preceding)
            as active_count_prev28
    from population
),

clear_days as (
    select
        windows.date_on,
        min(case
            when windows.active_count_28 < {{ alert_outage_ratio('window') }} * windows.active_count_prev28 then null
            when windows.event_count < {{ alert_outage_ratio('day') }} * usual.event_count then null
            else windows.date_on
        end) over (order by windows.date_on nulls last rows between current row and unbounded following) as clear_on
    from windows
    left join usual on windows.date_on = usual.date_on
),

final as (
    select
        falls.customer_id,
        falls.alert_code,
        falls.business_type,
        falls.severity,
        clear_days.clear_on as opened_on,
        falls.recovered_on
    from falls
    inner join clear_days on falls.day_on = clear_days.date_on
    where falls.is_fallen and (clear_days.clear_on < falls.recovered_on or (falls.recovered_on is null and clear_days.clear_on is not null))
)

select * from final
