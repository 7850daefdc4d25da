-- One row per event, with the customer it belongs to now and the session it happened in.
-- A session is one visitor's events with less than 30 minutes between one and the next. The visitor is the cookie or device
-- on the event, which stays the same when the visitor logs in; where there is none, the customer, else the source's session.
-- Bots, test accounts and events that name no visitor at all have no session.
with

events as (
    select
        e.source_system,
        e.source_record_id,
        e.event_at,
        e.event_name,
        e.platform,
        e.utm_source,
        e.utm_medium,
        e.utm_campaign,
        e.quantity,
        e.value,
        e.engagement_ms,
        coalesce(e.is_bot, false) as is_bot,
        coalesce(person.is_test, false) as is_test,
        coalesce(person.customer_id, '-1') as customer_id,
        {{ ref_key('e', 'product_ref') }} as product_key,
        {{ channel_code('e.utm_source') }} as channel_code,
        case
            when e.is_bot or person.is_test then null
            when person.visitor_key is not null then 'd' || cast(person.visitor_key as string)
            when person.customer_id is not null then person.customer_id
            when e.session_ref is not null then e.source_system || ':' || e.session_ref
        end as visitor_id
    from {{ ref('unified_event') }} as e
    {{ join_person('e', 'event') }}
    {{ join_ref('e', 'product_ref', 'product') }}
    {{ join_channel('e.utm_source') }}
    where not e.is_deleted
),

paced as (
    select
        *,
        lag(event_at) over (partition by visitor_id order by event_at asc nulls last) as previous_at
    from events
),

-- Events of one moment are peers in both windows, so no order among them can move a boundary.
opened as (
    select
        *,
        max(case
            when previous_at is null or event_at >= cast(previous_at + interval '30' minute as timestamp) then event_at
        end) over (partition by visitor_id order by event_at asc nulls last) as started_at
    from paced
),

final as (
    select
        {{ record_key('o') }} as event_key,
        o.source_system,
        o.customer_id,
        case
            when o.visitor_id is not null
                then o.visitor_id || '-' || cast({{ seconds_between("cast('1970-01-01 00:00:00' as timestamp)", 'o.started_at') }} as string)
        end as session_id,
        case when o.visitor_id is not null then o.started_at end as session_started_at,
        o.event_at,
        {{ local_day('o.event_at') }} as event_on,
        o.event_name,
        o.platform,
        o.channel_code,
        o.utm_source,
        o.utm_medium,
        o.utm_campaign,
        o.product_key,
        cast(o.quantity as decimal(18, 4)) as quantity,
        {{ as_money('o.value') }} as value_amount,
        cast(o.engagement_ms as bigint) as engagement_ms,
        o.is_bot,
        o.is_test,
        not o.is_bot and not o.is_test and o.event_name not in ('impression_owned', 'unfollow') as is_active_event
    from opened as o
)

select * from final
