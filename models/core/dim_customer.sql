-- One row per customer: a person with whatever accounts and identifiers are his, an anonymous visitor, or the unknown one (-1).
-- Test accounts speak only where a customer has no other.
with

customers as (
    select
        customer_id, is_anonymous, first_seen_at, account_count, identifier_count,
        false as is_unknown
    from {{ ref('int_identity__customer_ids') }}

    union all

    select
        '-1' as customer_id,
        false as is_anonymous,
        cast(null as timestamp) as first_seen_at,
        0 as account_count,
        0 as identifier_count,
        true as is_unknown
),

accounts as (
    select
        customer_id,
        min(case when is_test then 1 else 0 end) = 1 as is_test,
        min(case when not is_test then registered_at end) as registered_at,
        min(case when not is_test then coalesce(registered_at, created_at) end) as first_account_at
    from {{ ref('int_core__accounts') }}
    group by customer_id
),

profiles as (
    select * from {{ ref('dim_customer_history') }} where valid_to is null
),

first_days as (
    select
        customer_id,
        min(day_on) as day_on
    from {{ ref('fct_customer_day') }}
    group by customer_id
),

touches as (
    select customer_id, channel_text, campaign_text from {{ ref('int_core__first_touches') }}
),

campaigns as (
    select
        campaign_text,
        min(campaign_key) as campaign_key
    from (
        select
            lower(trim(campaign_id)) as campaign_text,
            campaign_key
        from {{ ref('dim_campaign') }}
        union
        select
            lower(trim(name)) as campaign_text,
            campaign_key
        from {{ ref('dim_campaign') }}
        where name is not null
        union
        select
            lower(campaign_key) as campaign_text,
            campaign_key
        from {{ ref('dim_campaign') }}
    ) as names
    group by campaign_text
    having count(*) = 1
),

final as (
    select
        c.customer_id,
        c.is_unknown,
        c.is_anonymous,
        coalesce(a.is_test, false) as is_test,
        {{ local_day('c.first_seen_at') }} as first_seen_on,
        least({{ local_day('a.first_account_at') }}, d.day_on) as first_touch_on,
        a.registered_at,
        {{ local_day('a.registered_at') }} as registered_on,
        case when c.is_unknown then 'unattributed' else coalesce({{ channel_code('t.channel_text') }}, 'unattributed') end as first_channel,
        coalesce(m.campaign_key, t.campaign_text) as first_campaign,
        {%- for attribute in profile_attributes() %}
        p.{{ attribute }},
        p.{{ attribute }}_source,
        {%- endfor %}
        coalesce(p.birth_date_conflict_count, 0) as birth_date_conflict_count,
        cast(c.account_count as bigint) as account_count,
        cast(c.identifier_count as bigint) as identifier_count,
        q.confidence_rate as identity_confidence_rate,
        q.confidence_level as identity_confidence_level
    from customers as c
    left join accounts as a on a.customer_id = c.customer_id
    left join profiles as p on p.customer_id = c.customer_id
    left join first_days as d on d.customer_id = c.customer_id
    left join touches as t on t.customer_id = c.customer_id
    left join campaigns as m on m.campaign_text = lower(trim(t.campaign_text))
    left join {{ ref('int_identity__confidence') }} as q on q.customer_id = c.customer_id
    {{ join_channel('t.channel_text') }}
)

select * from final
