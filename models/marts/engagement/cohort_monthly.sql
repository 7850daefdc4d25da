-- One row per way in (registration, first purchase), cohort month, channel and age in calendar months: who came back, what was
-- bought. The channel is the customer's first one; `all` is all of them. At age 0 everybody is active, because entering counts.
-- A cell whose month is not over on as_of is NULL. Money is by order day, as known on as_of: a refund lowers the age of its order.
{%- set order_measures = ['buyer_count', 'order_count', 'net_sales_amount', 'gross_profit_amount'] %}
{%- set no_orders = 'cast(null as bigint) as buyer_count, cast(null as bigint) as order_count,'
    ~ ' cast(null as decimal(18, 4)) as net_sales_amount, cast(null as decimal(18, 4)) as gross_profit_amount' %}
{%- set to_age = so_far('cells.entry_event, cells.cohort_month_on, cells.channel_code', 'cells.age_months') %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

entries as (
    select
        entries.customer_id,
        case entries.part when 'registrants' then 'registration' else 'first_purchase' end as entry_event,
        entries.month_on as cohort_month_on,
        customers.first_channel as channel_code
    from {{ ref('int_engagement__person_months') }} as entries
    inner join {{ ref('dim_customer') }} as customers on entries.customer_id = customers.customer_id
    where entries.part in ('registrants', 'first_buyers')
),

orders as (
    select customer_id, month_on, net_amount, gross_profit_amount from {{ ref('int_sales__order_results') }}
    where is_buyer_order
),

active_months as (
    select distinct customer_days.customer_id, {{ month_of('customer_days.day_on') }} as month_on
    from {{ ref('fct_customer_day') }} as customer_days
    inner join as_of on customer_days.day_on <= as_of.as_of
    where customer_days.is_active
),

known as (
    select
        {{ month_of('(select min(day_on) from ' ~ ref('fct_customer_day') ~ ')') }} as activity_from,
        {{ month_of('(select min(event_on) from ' ~ ref('fct_event') ~ ' where not is_bot and not is_test)') }} as events_from,
        (select min(month_on) from {{ ref('int_sales__order_results') }}) as orders_from
),

order_months as (
    select
        customer_id,
        month_on,
        1 as buyer_count,
        count(*) as order_count,
        coalesce(sum(net_amount), 0) as net_sales_amount,
        sum(gross_profit_amount) as gross_profit_amount
    from orders
    group by customer_id, month_on
),

-- Whoever came in during the month was there in it, whatever else he did.
facts as (
    select
        entries.*, {{ no_orders }}, 0 as age_months, 1 as customer_count, 1 as active_count
    from entries
    union all
    select
        entries.*, {{ no_orders }},
        {{ months_between('entries.cohort_month_on', 'active_months.month_on') }} as age_months, 0 as customer_count, 1 as active_count
    from entries
    inner join active_months
        on entries.customer_id = active_months.customer_id and entries.cohort_month_on < active_months.month_on
    union all
    select
        entries.*, order_months.buyer_count, order_months.order_count, order_months.net_sales_amount, order_months.gross_profit_amount,
        {{ months_between('entries.cohort_month_on', 'order_months.month_on') }} as age_months, 0 as customer_count, 0 as active_count
    from entries
    inner join order_months
        on entries.customer_id = order_months.customer_id and entries.cohort_month_on <= order_months.month_on
),

totals as (
    {%- for channel in ['channel_code', "'all'"] %}
    select
        entry_event, cohort_month_on, {{ channel }} as channel_code, age_months, sum(customer_count) as customer_count,
        {%- for measure in order_measures %}
        sum({{ measure }}) as {{ measure }},
        {%- endfor %}
        sum(active_count) as active_count
    from facts
    group by entry_event, cohort_month_on, age_months{{ ', channel_code' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

cells as (
    select
        sizes.entry_event,
        sizes.cohort_month_on,
        sizes.channel_code,
        sizes.customer_count,
        {{ months_between('sizes.cohort_month_on', 'dates.month_on') }} as age_months,
        dates.month_on,
        dates.date_on <= as_of.as_of as is_complete
    from totals as sizes
    inner join {{ ref('dim_date') }} as dates on sizes.cohort_month_on <= dates.month_on and dates.is_month_end
    inner join as_of on {{ month_of('as_of.as_of') }} >= dates.month_on
    where sizes.age_months = 0
),

summed as (
    select
        cells.*,
        known.events_from,
        cells.is_complete and (cells.age_months = 0 or cells.month_on >= known.activity_from) as is_activity_known,
        cells.is_complete and cells.month_on >= known.orders_from as are_orders_known,
        {%- for measure in order_measures %}
        case when totals.order_count > 0 then totals.{{ measure }} else 0 end as {{ measure }},
        sum(totals.{{ measure }}) over ({{ to_age }}) as cumulative_{{ measure }},
        {%- endfor %}
        totals.active_count
    from cells
    cross join known
    left join totals
        on
            cells.entry_event = totals.entry_event
            and cells.cohort_month_on = totals.cohort_month_on
            and cells.channel_code = totals.channel_code
            and cells.age_months = totals.age_months
),

final as (
    select
        entry_event,
        cohort_month_on,
        cast(channel_code as string) as channel_code,
        cast(age_months as bigint) as age_months,
        is_complete,
        cast(customer_count as bigint) as customer_count,
        cast(case when is_activity_known then coalesce(active_count, 0) end as bigint) as active_count,
        case when is_activity_known then {{ share('coalesce(active_count, 0)', 'customer_count') }} end as retention_rate,
        is_activity_known and age_months > 0 and not coalesce(month_on >= events_from, false) as is_activity_orders_only,
        cast(case when are_orders_known then buyer_count end as bigint) as buyer_count,
        cast(case when are_orders_known then order_count end as bigint) as order_count,
        cast(case when are_orders_known then coalesce(cumulative_order_count, 0) end as bigint) as cumulative_order_count,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        {%- for measure in ['net_sales_amount', 'gross_profit_amount'] %}
        cast(case when are_orders_known then {{ measure }} end as decimal(18, 4)) as {{ measure }},
        cast(case
            when are_orders_known then case when cumulative_order_count > 0 then cumulative_{{ measure }} else 0 end
        end as decimal(18, 4)) as cumulative_{{ measure }},
        {%- endfor %}
        cast(case
            when are_orders_known
                then cast(coalesce(cumulative_net_sales_amount, 0) as double) / nullif(customer_count, 0)
        end as decimal(18, 4)) as cumulative_net_sales_per_customer_amount
    from summed
)

select * from final
