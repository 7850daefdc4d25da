-- One row per session of one visitor. It belongs to the customer of its last event that names a known person, so that what
-- was looked at before a login counts for the person who logged in. Nearly every session has one customer and one first
-- event, so only the others are sorted.
with

events as (
    select
        session_id, session_started_at, event_key, event_at, customer_id, event_name, is_active_event, engagement_ms,
        case when event_at = session_started_at then event_key end as entry_key,
        -- An empty text stands for NULL, which min_by would pass over.
        coalesce(platform, '') as platform,
        coalesce(channel_code, '') as channel_code,
        coalesce(utm_source, '') as utm_source,
        coalesce(utm_medium, '') as utm_medium,
        coalesce(utm_campaign, '') as utm_campaign
    from {{ ref('fct_event') }}
    where session_id is not null
),

totals as (
    select
        session_id,
        min(session_started_at) as started_at,
        max(event_at) as ended_at,
        min(customer_id) as one_customer_id,
        max(customer_id) as other_customer_id,
        min(entry_key) as entry_event_key,
        nullif(min_by(platform, entry_key), '') as platform,
        nullif(min_by(channel_code, entry_key), '') as channel_code,
        nullif(min_by(utm_source, entry_key), '') as utm_source,
        nullif(min_by(utm_medium, entry_key), '') as utm_medium,
        nullif(min_by(utm_campaign, entry_key), '') as utm_campaign,
        count(*) as event_count,
        sum(case when is_active_event then 1 else 0 end) as active_event_count,
        sum(case when event_name in ('page_view', 'content_view', 'product_view') then 1 else 0 end) as view_count,
        sum(engagement_ms) as engagement_ms
    from events
    group by session_id
),

anonymous as (
    select customer_id from {{ ref('int_identity__customer_ids') }}
    where is_anonymous
),

shared as (
    select
        e.session_id,
        e.customer_id,
        max(e.event_at) as last_at
    from events as e
    inner join totals as t on t.session_id = e.session_id and t.one_customer_id <> t.other_customer_id
    group by e.session_id, e.customer_id
),

people as (
    select
        s.session_id,
        s.customer_id,
        row_number() over (
            partition by s.session_id
            order by
                case when s.customer_id = '-1' then 2 when a.customer_id is not null then 1 else 0 end asc nulls last,
                s.last_at desc nulls last,
                s.customer_id asc nulls last
        ) as person_rank
    from shared as s
    left join anonymous as a on a.customer_id = s.customer_id
),

final as (
    select
        t.session_id,
        coalesce(p.customer_id, t.one_customer_id) as customer_id,
        t.entry_event_key,
        t.started_at,
        t.ended_at,
        {{ local_day('t.started_at') }} as started_on,
        cast({{ seconds_between('t.started_at', 't.ended_at') }} as bigint) as duration_seconds,
        t.platform,
        coalesce(t.channel_code, 'unattributed') as channel_code,
        t.utm_source,
        t.utm_medium,
        t.utm_campaign,
        cast(t.event_count as bigint) as event_count,
        cast(t.active_event_count as bigint) as active_event_count,
        cast(t.view_count as bigint) as view_count,
        cast(t.engagement_ms as bigint) as engagement_ms
    from totals as t
    left join people as p on p.session_id = t.session_id and p.person_rank = 1
)

select * from final
