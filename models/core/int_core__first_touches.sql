-- One row per customer, with where he came from: the text of his earliest account, else of his first event that is no bot's,
-- else of his first order, each on or before as_of. The campaign comes from the same place as the channel.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id from {{ ref('int_identity__customer_ids') }}
),

accounts as (
    select customer_id, registered_at, created_at, first_channel_raw, first_campaign_raw, source_system, source_record_id
    from {{ ref('int_core__accounts') }}
    where not is_test
),

ranked_accounts as (
    select
        a.customer_id,
        a.first_channel_raw as channel_text,
        a.first_campaign_raw as campaign_text,
        row_number() over (
            partition by a.customer_id
            order by
                coalesce(a.registered_at, a.created_at) asc nulls last, a.source_system asc nulls last, a.source_record_id asc nulls last
        ) as account_rank
    from accounts as a
    inner join as_of as d
        on
            a.registered_at is null and a.created_at is null
            or {{ local_day('coalesce(a.registered_at, a.created_at)') }} <= d.as_of
),

event_starts as (
    select
        e.customer_id,
        min(e.event_at) as event_at
    from {{ ref('fct_event') }} as e
    inner join as_of as d on e.event_on <= d.as_of
    where not e.is_bot and not e.is_test and e.customer_id <> '-1'
    group by e.customer_id
),

ranked_events as (
    select
        e.customer_id,
        e.utm_source as channel_text,
        e.utm_campaign as campaign_text,
        row_number() over (partition by e.customer_id order by e.event_key asc nulls last) as event_rank
    from {{ ref('fct_event') }} as e
    inner join event_starts as s on s.customer_id = e.customer_id and s.event_at = e.event_at
    where not e.is_bot and not e.is_test
),

ranked_orders as (
    select
        o.customer_id,
        o.channel_raw as channel_text,
        coalesce(o.campaign_key, o.utm_campaign) as campaign_text,
        row_number() over (
            partition by o.customer_id
            order by coalesce(o.order_sequence, 9999999) asc nulls last, o.ordered_at asc nulls last, o.order_key asc nulls last
        ) as order_rank
    from {{ ref('fct_order') }} as o
    inner join as_of as d on o.ordered_on <= d.as_of
    where not o.is_test
),

final as (
    select
        c.customer_id,
        case
            when a.channel_text is not null then 'account'
            when e.channel_text is not null then 'event'
            when o.channel_text is not null then 'order'
            else 'none'
        end as channel_source,
        coalesce(a.channel_text, e.channel_text, o.channel_text) as channel_text,
        case
            when a.channel_text is not null then a.campaign_text
            when e.channel_text is not null then e.campaign_text
            when o.channel_text is not null then o.campaign_text
        end as campaign_text
    from customers as c
    left join ranked_accounts as a on a.customer_id = c.customer_id and a.account_rank = 1
    left join ranked_events as e on e.customer_id = c.customer_id and e.event_rank = 1
    left join ranked_orders as o on o.customer_id = c.customer_id and o.order_rank = 1
)

select * from final
