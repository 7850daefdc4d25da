-- One row per day and channel with anything happening on it, and one per day for the channel `all`: what events and sessions say.
-- A visit belongs to the channel that its session came in by. The windows are stated as changes, whose running sums are the
-- numbers: `week_change` of customers in the last 7 days, `weeks_change` in the last 28, `month_change` in the calendar month.
{%- set counts = {'view_count': "('page_view', 'content_view')", 'share_count': "('share')", 'lead_event_count': "('form_submit')",
    'owned_impression_count': "('impression_owned')"} %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id, case when is_unknown or is_anonymous or is_test then 0 else 1 end as is_identified
    from {{ ref('dim_customer') }}
),

-- The one reading of all events. Up to as_of only, so that a visit over that midnight is as long as it was known to be.
visit_days as (
    select
        events.session_id,
        events.customer_id,
        events.event_on as day_on,
        case when events.session_id is null then coalesce(events.channel_code, 'unattributed') end as own_channel_code,
        max(events.event_at) as last_at,
        sum(events.engagement_ms) as engagement_ms,
        {%- for name, event_names in counts.items() %}
        sum(case when events.event_name in {{ event_names }} then 1 else 0 end) as {{ name }},
        {%- endfor %}
        max(case when events.is_active_event and events.customer_id <> '-1' then 1 else 0 end) as is_active
    from {{ ref('fct_event') }} as events
    inner join as_of on events.event_on <= as_of.as_of
    where not events.is_bot and not events.is_test
    group by
        events.session_id, events.customer_id, events.event_on,
        case when events.session_id is null then coalesce(events.channel_code, 'unattributed') end
),

visits as (
    select
        visit_days.*,
        coalesce(sessions.channel_code, visit_days.own_channel_code) as channel_code,
        sessions.started_at,
        sessions.started_on,
        case when lower(sessions.utm_medium) = 'share' then 1 else 0 end as is_shared,
        customers.is_identified
    from visit_days
    inner join customers on visit_days.customer_id = customers.customer_id
    left join {{ ref('fct_session') }} as sessions on visit_days.session_id = sessions.session_id
),

person_days as (
    {%- for channel in ['channel_code', "'all'"] %}
    select
        customer_id,
        day_on,
        {{ channel }} as channel_code,
        max(is_identified) as is_identified,
        {%- for name in counts %}
        sum({{ name }}) as {{ name }},
        {%- endfor %}
        max(is_active) as is_active
    from visits
    group by customer_id, day_on{{ ', channel_code' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

event_days as (
    select
        day_on,
        channel_code,
        {%- for name in counts %}
        sum({{ name }}) as {{ name }},
        {%- endfor %}
        sum(case when lead_event_count > 0 then is_identified else 0 end) as lead_count,
        sum(is_active) as dau_all_count,
        sum(is_active * is_identified) as dau_count
    from person_days
    group by day_on, channel_code
),

active_days as (
    select
        day_on,
        channel_code,
        lead(day_on) over (partition by customer_id, channel_code order by day_on asc nulls last) as next_on,
        lag(day_on) over (partition by customer_id, channel_code order by day_on asc nulls last) as previous_on
    from person_days
    where is_active = 1 and is_identified = 1
),

changes as (
    select
        day_on, channel_code, 1 as week_change, 1 as weeks_change,
        case when previous_on >= {{ month_of('day_on') }} then 0 else 1 end as month_change
    from active_days
    union all
    select {{ leaves_window_on(7) }} as day_on, channel_code, -1 as week_change, 0 as weeks_change, 0 as month_change from active_days
    union all
    select {{ leaves_window_on(28) }} as day_on, channel_code, 0 as week_change, -1 as weeks_change, 0 as month_change from active_days
),

changed as (
    select
        day_on, channel_code, sum(week_change) as week_change, sum(weeks_change) as weeks_change, sum(month_change) as month_change
    from changes
    group by day_on, channel_code
),

-- What the source measured, else from the first event to the last, which is nothing for a single one; four hours at the most.
sessions as (
    select
        session_id,
        min(started_on) as day_on,
        min(channel_code) as channel_code,
        max(is_shared) as is_shared,
        least(14400, coalesce(
            cast(round(sum(engagement_ms) / 1000.0, 3) as decimal(18, 3)), {{ seconds_between('min(started_at)', 'max(last_at)') }}
        )) as seconds
    from visits
    where session_id is not null
    group by session_id
),

session_days as (
    {%- for channel in ['channel_code', "'all'"] %}
    select
        day_on,
        {{ channel }} as channel_code,
        count(*) as session_count,
        sum(is_shared) as share_visit_count,
        sum(cast(seconds as decimal(18, 3))) as session_seconds,
        median(cast(seconds as double)) as median_session_seconds
    from sessions
    group by day_on{{ ', channel_code' if loop.first }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        coalesce(changed.day_on, event_days.day_on) as day_on,
        coalesce(changed.channel_code, event_days.channel_code) as channel_code,
        {%- for name in ['dau_count', 'dau_all_count', 'lead_count'] + counts | list %}
        coalesce(event_days.{{ name }}, 0) as {{ name }},
        {%- endfor %}
        {%- for name in ['week_change', 'weeks_change', 'month_change'] %}
        coalesce(changed.{{ name }}, 0) as {{ name }},
        {%- endfor %}
        coalesce(session_days.session_count, 0) as session_count,
        coalesce(session_days.share_visit_count, 0) as share_visit_count,
        coalesce(session_days.session_seconds, 0) as session_seconds,
        session_days.median_session_seconds
    from changed
    full outer join event_days on changed.day_on = event_days.day_on and changed.channel_code = event_days.channel_code
    left join session_days
        on
            event_days.day_on = session_days.day_on
            and event_days.channel_code = session_days.channel_code
)

select * from final
