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
            when person.visitor_key is not null then person.visitor_key
            when person.customer_id is not null then {{ node_key('person.customer_id') }}
            when e.session_ref is not null then {{ node_key("e.source_system || ':' || e.session_ref") }}
        end as visitor_key
    from {{ ref('unified_event') }} as e
    {{ join_person('e', 'event') }}
    {{ join_ref('e', 'product_ref', 'product') }}
    {{ join_channel('e.utm_source') }}
    where not e.is_deleted
),

-- Sorted without the other columns, and each moment once: no order among events of one moment can move a boundary.
moments as (
    select distinct visitor_key, event_at
    from events
    where visitor_key is not null
),

paced as (
    select
        visitor_key,
        event_at,
        lag(event_at) over (partition by visitor_key order by event_at asc nulls last) as previous_at
    from moments
),

visits as (
    select
        visitor_key,
        event_at,
        max(case
            when previous_at is null or event_at >= cast(previous_at + interval '30' minute as timestamp) then event_at
        end) over (partition by visitor_key order by event_at asc nulls last) as started_at
    from paced
),

final as (
    select
        {{ record_key('e') }} as event_key,
        e.source_system,
        e.customer_id,
        cast(v.visitor_key as string) || '-'
        || cast({{ seconds_between("cast('1970-01-01 00:00:00' as timestamp)", 'v.started_at') }} as string) as session_id,
        v.started_at as session_started_at,
        e.event_at,
        {{ local_day('e.event_at') }} as event_on,
        e.event_name,
        e.platform,
        e.channel_code,
        e.utm_source,
        e.utm_medium,
        e.utm_campaign,
        e.product_key,
        cast(e.quantity as decimal(18, 4)) as quantity,
        {{ as_money('e.value') }} as value_amount,
        cast(e.engagement_ms as bigint) as engagement_ms,
        e.is_bot,
        e.is_test,
        not e.is_bot and not e.is_test and e.event_name not in ('impression_owned', 'unfollow') as is_active_event
    from events as e
    left join visits as v on v.visitor_key = e.visitor_key and v.event_at = e.event_at
)

select * from final
