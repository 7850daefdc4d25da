-- One row per month, channel and metric up to as_of, the running month so far: the value, and what it is made of.
-- A ratio is numerator by denominator, so that months and channels of one metric add up sum by sum. Metrics of visits are by
-- the channel that the visit came in by, those of orders by sales channel, those of persons (returns, repurchase, referrals,
-- feedback) by the customer's first channel; `all` is all of them. A cohort is a month of registrations or first purchases,
-- NULL until the window has closed for its last day. Before its source delivers a metric is NULL, never 0.
{%- set activity_sums = ['session_count', 'session_seconds', 'view_count', 'share_count', 'share_visit_count', 'impression_count',
    'click_count', 'lead_event_count', 'registration_count', 'channel_registration_count', 'order_count', 'new_buyer_count',
    'net_sales_amount', 'rated_order_count'] %}
{%- set buyer_parts = ['buyers', 'repeat_buyers', 'buyer_net_sales', 'year_buyers', 'year_orders'] %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

activity as (
    select
        {{ month_of('day_on') }} as month_on, channel_code,
        {%- for name in activity_sums %}
        sum({{ name }}) as {{ name }},
        {%- endfor %}
        cast(sum(dau_count) as double) / nullif(count(dau_count), 0) as dau_mean,
        -- It only grows within a month, so the greatest is the last.
        max(month_active_count) as month_active_count
    from {{ ref('activity_daily') }}
    group by {{ month_of('day_on') }}, channel_code
),

persons as (
    {%- for channel in ['customers.first_channel', "'all'"] %}
    select person_months.month_on, {{ channel }} as channel_code, person_months.part, sum(person_months.amount) as amount
    from {{ ref('int_engagement__person_months') }} as person_months
    inner join {{ ref('dim_customer') }} as customers on person_months.customer_id = customers.customer_id
    group by person_months.month_on, person_months.part{{ ', customers.first_channel' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Orders of one day are one purchase.
buyer_days as (
    {%- for channel in ['channel_code', "'all'"] %}
    select
        customer_id, {{ channel }} as channel_code, ordered_on as day_on, month_on, count(*) as order_count,
        coalesce(sum(net_amount), 0) as net_amount,
        lead(ordered_on) over (partition by customer_id{{ ', channel_code' if loop.first }} order by ordered_on asc nulls last) as next_on
    from {{ ref('int_sales__order_results') }}
    where is_buyer_order
    group by customer_id, ordered_on, month_on{{ ', channel_code' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

bought as (
    select
        month_on, channel_code, count(*) as buyers, sum(case when purchases > 1 then 1 else 0 end) as repeat_buyers,
        sum(net_amount) as buyer_net_sales
    from (
        select month_on, channel_code, count(*) as purchases, sum(net_amount) as net_amount from buyer_days
        group by month_on, channel_code, customer_id
    ) as buyer_months
    group by month_on, channel_code
),

-- Who is in the last 365 days at the end of the month, or on as_of: what entered so far less what left so far.
year_changes as (
    select {{ month_of('day_on') }} as month_on, channel_code, sum(buyer_change) as buyer_change, sum(order_change) as order_change
    from (
        select day_on, channel_code, 1 as buyer_change, order_count as order_change from buyer_days
        union all
        select {{ leaves_window_on(365) }} as day_on, channel_code, -1 as buyer_change, 0 as order_change from buyer_days
        union all
        select {{ days_later('day_on', 365) }} as day_on, channel_code, 0 as buyer_change, -order_count as order_change from buyer_days
    ) as changes
    inner join as_of on changes.day_on <= as_of.as_of
    group by {{ month_of('day_on') }}, channel_code
),

channels as (
    select channel_code from activity
    union
    select channel_code from persons
),

months as (
    select dates.month_on, least(dates.date_on, as_of.as_of) as measured_on, channels.channel_code
    from {{ ref('dim_date') }} as dates
    cross join channels
    cross join as_of
    where dates.is_month_end and dates.month_on <= as_of.as_of and dates.month_on >= (select min(month_on) from activity)
),

buyers as (
    select
        months.month_on, months.channel_code, bought.buyers, bought.repeat_buyers, bought.buyer_net_sales,
        sum(changes.buyer_change) over ({{ so_far('months.channel_code', 'months.month_on') }}) as year_buyers,
        sum(changes.order_change) over ({{ so_far('months.channel_code', 'months.month_on') }}) as year_orders
    from months
    left join year_changes as changes on months.month_on = changes.month_on and months.channel_code = changes.channel_code
    left join bought on months.month_on = bought.month_on and months.channel_code = bought.channel_code
),

parts as (
    {%- for part in activity_sums + ['dau_mean', 'month_active_count'] + buyer_parts %}
    select month_on, channel_code, '{{ part }}' as part, cast({{ part }} as decimal(18, 6)) as amount
    from {{ 'buyers' if part in buyer_parts else 'activity' }}
    union all
    {%- endfor %}
    {%- for part, step in {'activation_entries': 1, 'activated': funnel_depth('activation')}.items() %}
    select month_on, channel_code, '{{ part }}' as part, cast(customer_count as decimal(18, 6)) as amount
    from {{ ref('funnel_monthly') }} where funnel_code = 'activation' and step_number = {{ step }}
    union all
    {%- endfor %}
    select month_on, channel_code, part, cast(amount as decimal(18, 6)) as amount from persons
),

metrics as (
    {{ engagement_metric_rows() }}
),

sources as (
    select part, min(month_on) as known_from from parts where amount is not null group by part
),

counted as (
    select
        months.*,
        metrics.metric_code, metrics.denominator_part <> '' as is_ratio,
        case
            when {{ days_later('last_day(months.month_on)', 'metrics.window_days') }} > as_of.as_of then null
            when metrics.source_part = '' then numerators.amount
            when months.month_on >= sources.known_from then coalesce(numerators.amount, 0)
        end as numerator_value,
        case when metrics.source_part = '' then denominators.amount else coalesce(denominators.amount, 0) end as denominator_value
    from months
    cross join metrics
    cross join as_of
    left join parts as numerators
        on
            months.month_on = numerators.month_on
            and months.channel_code = numerators.channel_code
            and metrics.numerator_part = numerators.part
    left join parts as denominators
        on
            months.month_on = denominators.month_on
            and months.channel_code = denominators.channel_code
            and metrics.denominator_part = denominators.part
    left join sources on metrics.source_part = sources.part
),

final as (
    select
        month_on,
        cast(channel_code as string) as channel_code,
        cast(metric_code as string) as metric_code,
        measured_on,
        measured_on = last_day(month_on) as is_complete,
        numerator_value,
        case when is_ratio and numerator_value is not null then denominator_value end as denominator_value,
        case when is_ratio then {{ share('numerator_value', 'denominator_value') }} else numerator_value end as metric_value,
        coalesce(is_ratio and numerator_value is not null and denominator_value < 30, false) as is_small_sample
    from counted
)

select * from final
