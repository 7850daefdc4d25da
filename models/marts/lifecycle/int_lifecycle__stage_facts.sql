-- One row per model, stage and month: what customers did while they were in the stage, by the stage of the day before. The columns
-- ending in _change are what a number changes by in the month; their running sums over months are the numbers.
{%- set persons = {'buyer_count': 'order_count > 0', 'lead_count': 'lead_events > 0',
    'month_active_count': 'active_event_days > 0', 'active_customer_count': 'active_days > 0',
    'ugc_contributor_count': 'ugc_post_count > 0', 'referrer_count': 'referral_successes > 0'} %}
{%- set sums = stage_fact_measures() | reject('in', ['active_event_days', 'active_days', 'lead_events', 'referral_successes']) | list %}
{%- set carried_changes = ['lifespan_change', 'lifespan_customer_change', 'year_order_change', 'year_buyer_change'] %}
{%- set changes = ['week_active_change'] + carried_changes %}
{%- set forever = "cast('9999-12-31' as date)" %}
with

placed as (
    select * from {{ ref('int_lifecycle__stage_fact_days') }}
),

intervals as (
    select * from {{ ref('customer_lifecycle_intervals') }}
),

person_months as (
    select
        model_code,
        stage_code,
        {{ month_of('day_on') }} as month_on,
        {%- for measure in stage_fact_measures() %}
        sum({{ measure }}) as {{ measure }},
        {%- endfor %}
        is_identified
    from placed
    group by model_code, stage_code, {{ month_of('day_on') }}, customer_id, is_identified
),

totals as (
    select
        model_code, stage_code, month_on,
        {%- for measure in sums %} sum({{ measure }}) as {{ measure }},{% endfor %}
        {%- for measure, condition in persons.items() %}
        sum(case when is_identified and {{ condition }} then 1 end) as {{ measure }},
        {%- endfor %}
        sum(case when is_identified then active_event_days end) as active_day_count,
        sum(case when is_identified then net_sales_amount end) as buyer_net_sales_amount
    from person_months
    group by model_code, stage_code, month_on
),

active_days as (
    select
        model_code, stage_code, day_on,
        lead(day_on) over (partition by customer_id, model_code, stage_code order by day_on asc nulls last) as next_on
    from placed
    where is_identified and active_event_days > 0
),

purchase_days as (
    select
        customer_id, day_on, order_count,
        lag(day_on) over (partition by customer_id order by day_on asc nulls last) as previous_on,
        lead(day_on) over (partition by customer_id order by day_on asc nulls last) as next_on
    from (select distinct customer_id, day_on, order_count from placed where is_identified and order_count > 0) as days
),

-- How long a purchase counts in which number: for good in a life, for a year in the orders, until the next one in the buyers.
purchases as (
    select
        customer_id, day_on, {{ forever }} as counts_to,
        coalesce({{ days_between('previous_on', 'day_on') }}, 0) as lifespan_change,
        case when previous_on is null then 1 else 0 end as lifespan_customer_change,
        0 as year_order_change, 0 as year_buyer_change
    from purchase_days
    union all
    select
        customer_id, day_on, {{ days_later('day_on', 365) }} as counts_to, 0 as lifespan_change, 0 as lifespan_customer_change,
        order_count as year_order_change, 0 as year_buyer_change
    from purchase_days
    union all
    select
        customer_id, day_on, {{ leaves_window_on(365) }} as counts_to, 0 as lifespan_change, 0 as lifespan_customer_change,
        0 as year_order_change, 1 as year_buyer_change
    from purchase_days
),

-- It goes with the customer from stage to stage.
carried as (
    select
        intervals.model_code, intervals.stage_code, purchases.*,
        greatest(purchases.day_on, intervals.valid_from) as starts_on,
        least(purchases.counts_to, coalesce(intervals.valid_to, {{ forever }})) as ends_on
    from purchases
    inner join intervals on purchases.customer_id = intervals.customer_id and purchases.counts_to > intervals.valid_from
    where purchases.day_on < intervals.valid_to or intervals.valid_to is null
),

changed as (
    {%- for day, sign in [('day_on', '1'), (leaves_window_on(7), '-1')] %}
    select
        model_code,
        stage_code,
        {{ day }} as day_on,
        {%- for measure in carried_changes %}
        0 as {{ measure }},
        {%- endfor %}
        {{ sign }} as week_active_change
    from active_days
    union all
    {%- endfor %}
    {%- for day, sign in [('starts_on', ''), ('ends_on', '-')] %}
    select
        model_code,
        stage_code,
        {{ day }} as day_on,
        {%- for measure in carried_changes %}
        {{ sign }}{{ measure }} as {{ measure }},
        {%- endfor %}
        0 as week_active_change
    from carried
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

change_months as (
    select
        changed.model_code,
        changed.stage_code,
        {%- for measure in changes %}
        sum(changed.{{ measure }}) as {{ measure }},
        {%- endfor %}
        {{ month_of('changed.day_on') }} as month_on
    from changed
    inner join {{ ref('int_core__as_of') }} as as_of on changed.day_on <= as_of.as_of
    group by changed.model_code, changed.stage_code, {{ month_of('changed.day_on') }}
),

final as (
    select
        coalesce(totals.model_code, change_months.model_code) as model_code,
        coalesce(totals.stage_code, change_months.stage_code) as stage_code,
        {%- for measure in sums + ['active_day_count', 'buyer_net_sales_amount'] + persons | list + changes %}
        {%- set type = 'decimal(18, 4)' if measure.endswith('_amount') or measure == 'session_seconds' else 'bigint' %}
        cast(coalesce({{ measure }}, 0) as {{ type }}) as {{ measure }},
        {%- endfor %}
        coalesce(totals.month_on, change_months.month_on) as month_on
    from totals
    full outer join change_months
        on
            totals.model_code = change_months.model_code and totals.stage_code = change_months.stage_code
            and totals.month_on = change_months.month_on
)

select * from final
