-- One row per session of one visitor. It belongs to the customer of its last event that names a known person, so that what
-- was looked at before a login counts for the person who logged in.
with

events as (
    select
        session_id, session_started_at, event_key, event_at, customer_id, platform, channel_code, utm_source, utm_medium, utm_campaign,
        event_name, is_active_event, engagement_ms, value_amount
    from {{ ref('fct_event') }}
    where session_id is not null
),

anonymous as (
    select customer_id from {{ ref('int_identity__customer_ids') }} where is_anonymous
),

totals as (
    select
        session_id,
        min(session_started_at) as started_at,
        max(event_at) as ended_at,
        count(*) as event_count,
        sum(case when is_active_event then 1 else 0 end) as active_event_count,
        sum(case when event_name in ('page_view', 'content_view', 'product_view') then 1 else 0 end) as view_count,
        sum(engagement_ms) as engagement_ms
    from events
    group by session_id
),

people as (
    select
        e.session_id,
        e.customer_id,
        row_number() over (
            partition by e.session_id
            order by
                case when e.customer_id = '-1' then 2 when min(a.customer_id) is not null then 1 else 0 end asc nulls last,
                max(e.event_at) desc nulls last,
                e.customer_id asc nulls last
        ) as person_rank
    from events as e
    left join anonymous as a on a.customer_id = e.customer_id
    group by e.session_id, e.customer_id
),

entries as (
    select
        session_id, event_key, platform, channel_code, utm_source, utm_medium, utm_campaign,
        row_number() over (partition by session_id order by event_key asc nulls last) as entry_rank
    from events
    where event_at = session_started_at
),

final as (
    select
        t.session_id,
        p.customer_id,
        e.event_key as entry_event_key,
        t.started_at,
        t.ended_at,
        {{ local_day('t.started_at') }} as started_on,
        cast({{ seconds_between('t.started_at', 't.ended_at') }} as bigint) as duration_seconds,
        e.platform,
        coalesce(e.channel_code, 'unattributed') as channel_code,
        e.utm_source,
        e.utm_medium,
        e.utm_campaign,
        cast(t.event_count as bigint) as event_count,
        cast(t.active_event_count as bigint) as active_event_count,
        cast(t.view_count as bigint) as view_count,
        cast(t.engagement_ms as bigint) as engagement_ms
    from totals as t
    inner join people as p on p.session_id = t.session_id and p.person_rank = 1
    inner join entries as e on e.session_id = t.session_id and e.entry_rank = 1
)

select * from final
