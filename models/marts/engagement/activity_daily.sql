-- One row per day and channel, and one per day for the channel `all`, from the first fact to as_of: who was there and what happened.
-- A visit belongs to the channel that its session came in by, an order to its sales channel, a registration to the customer's
-- first channel. Who is there by two channels counts once in `all`, so people do not add up over channels. A count whose
-- source had delivered nothing by the day is NULL, never 0; advertising that of its own channel.
{%- set facts = [
    ('impression_count', 'spend_on', 'impression_count', 'spend'),
    ('impression_count', 'day_on', 'nullif(owned_impression_count, 0)', 'event_days'),
    ('click_count', 'spend_on', 'click_count', 'spend'),
    ('registration_count', 'registered_on', '1', 'registrations'),
    ('channel_registration_count', 'registered_on', '1', 'accounts'),
    ('order_count', 'ordered_on', '1', 'orders'),
    ('rated_order_count', 'ordered_on', 'case when is_rate_missing then 0 else 1 end', 'orders'),
    ('new_buyer_count', 'ordered_on', 'case when is_new_buyer_order then 1 else 0 end', 'orders'),
    ('net_sales_amount', 'ordered_on', 'coalesce(net_amount, 0)', 'orders'),
] %}
{%- set measures = facts | map('first') | unique | list %}
{%- set event_measures = ['dau_count', 'dau_all_count', 'lead_count', 'lead_event_count', 'view_count', 'share_count', 'session_count',
    'session_seconds'] %}
{%- set days_so_far = so_far('days.channel_code', 'days.day_on') %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

event_days as (
    select * from {{ ref('int_engagement__event_days') }}
),

spend as (
    select spend_on, channel_code, impression_count, click_count from {{ ref('fct_spend') }} where not is_test
),

orders as (
    select * from {{ ref('int_sales__order_results') }} where is_valid
),

registrations as (
    select registered_on, first_channel as channel_code from {{ ref('dim_customer') }}
    where registered_on is not null and not is_unknown and not is_anonymous and not is_test
),

accounts as (
    select
        {{ local_day('accounts.registered_at') }} as registered_on,
        coalesce({{ channel_code('accounts.first_channel_raw') }}, 'unattributed') as channel_code
    from {{ ref('int_core__accounts') }} as accounts
    {{ join_channel('accounts.first_channel_raw') }}
    where accounts.registered_at is not null and not accounts.is_test
),

facts as (
    {%- for measure, day, amount, relation in facts %}
    select
        {{ day }} as day_on,
        channel_code,
        '{{ measure }}' as measure,
        cast({{ amount }} as decimal(18, 4)) as amount
    from {{ relation }}
    where channel_code <> 'all'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

fact_days as (
    {%- for channel in ['facts.channel_code', "'all'"] %}
    select
        facts.day_on,
        {%- for measure in measures %}
        sum(case when facts.measure = '{{ measure }}' then facts.amount end) as {{ measure }},
        {%- endfor %}
        {{ channel }} as channel_code
    from facts
    inner join as_of on facts.day_on <= as_of.as_of
    group by facts.day_on{{ ', facts.channel_code' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- From when on a source is known to deliver: orders once there is any, of whatever kind.
known as (
    select
        (select min(day_on) from event_days) as events_from,
        (select min(day_on) from event_days where share_visit_count > 0) as shared_from,
        (select min(day_on) from fact_days) as facts_from,
        (select min(registered_on) from accounts) as registrations_from,
        (select min(ordered_on) from {{ ref('int_sales__order_results') }}) as orders_from
),

channels as (
    select channel_code from event_days
    union
    select channel_code from fact_days
),

days as (
    select
        dates.date_on as day_on,
        dates.month_on,
        channels.channel_code
    from {{ ref('dim_date') }} as dates
    cross join known
    inner join as_of on dates.date_on >= least(known.events_from, known.facts_from) and dates.date_on <= as_of.as_of
    cross join channels
),

counted as (
    select
        days.day_on,
        days.channel_code,
        {%- for measure in event_measures %}
        case when days.day_on >= known.events_from then coalesce(event_days.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        {%- for measure, change, window in [('wau_count', 'week_change', days_so_far), ('mau_count', 'weeks_change', days_so_far),
            ('month_active_count', 'month_change', days_so_far | replace('by days.channel_code', 'by days.channel_code, days.month_on'))] %}
        case when days.day_on >= known.events_from then sum(coalesce(event_days.{{ change }}, 0)) over ({{ window }}) end as {{ measure }},
        {%- endfor %}
        case when days.day_on >= known.shared_from then coalesce(event_days.share_visit_count, 0) end as share_visit_count,
        event_days.median_session_seconds,
        {%- for measure in measures %}
        {%- if measure in ['impression_count', 'click_count'] %}
        case
            when count(fact_days.{{ measure }}) over ({{ days_so_far }}) > 0 then coalesce(fact_days.{{ measure }}, 0)
        end as {{ measure }},
        {%- else %}
        case
            when days.day_on >= known.{{ 'registrations_from' if 'registration' in measure else 'orders_from' }}
                then coalesce(fact_days.{{ measure }}, 0)
        end as {{ measure }},
        {%- endif %}
        {%- endfor %}
        as_of.as_of
    from days
    cross join known
    cross join as_of
    left join event_days on days.day_on = event_days.day_on and days.channel_code = event_days.channel_code
    left join fact_days on days.day_on = fact_days.day_on and days.channel_code = fact_days.channel_code
),

final as (
    select
        day_on,
        cast(channel_code as string) as channel_code,
        as_of as as_known_on,
        {%- for measure in ['dau_count', 'dau_all_count', 'wau_count', 'mau_count', 'month_active_count', 'session_count',
            'share_visit_count', 'view_count', 'share_count', 'lead_event_count', 'lead_count', 'impression_count', 'click_count',
            'registration_count', 'channel_registration_count', 'new_buyer_count', 'order_count', 'rated_order_count'] %}
        cast({{ measure }} as bigint) as {{ measure }},
        {%- endfor %}
        cast(session_seconds as decimal(18, 3)) as session_seconds,
        cast(cast(session_seconds as double) / nullif(session_count, 0) as decimal(18, 6)) as mean_session_seconds,
        cast(median_session_seconds as decimal(18, 6)) as median_session_seconds,
        {{ share('click_count', 'impression_count') }} as click_rate,
        coalesce(click_count > impression_count, false) as has_more_clicks_than_impressions,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(net_sales_amount as decimal(18, 4)) as net_sales_amount
    from counted
)

select * from final
