-- One row per landed version of a buyer, with the tags that the buyer carries now.
with

customers as (
    select * from {{ landed('shopify', 'customer') }}
),

tags as (
    select {{ clean_key('customer_id') }} as customer_key, {{ join_sorted('value', '|') }} as tags
    from {{ landed_current('shopify', 'customer_tag', shopify_lookups().customer_tag) }} as customer_tag
    group by 1
),

final as (
    select
        'shopify' as source_system,
        id as source_record_id,
        created_at as registered_at,
        created_at,
        -- the shop knows a buyer from the first order or subscription on, with or without a login
        'member' as account_kind,
        ids,
        nullif(concat_ws(' ', first_name, last_name), '') as name,
        phone as phone_raw,
        email as email_raw,
        case
            when trim(email_marketing_consent_state) <> '' then lower(trim(email_marketing_consent_state))
            when lower(trim(accepts_marketing)) = 'true' then 'subscribed'
            when lower(trim(accepts_marketing)) = 'false' then 'not_subscribed'
        end as subscribe_status,
        case
            when lower(trim(email_marketing_consent_state)) = 'unsubscribed' then email_marketing_consent_updated_at
        end as unsubscribed_at,
        _fivetran_synced as loaded_at,
        updated_at,
        case when tags.tags is not null then {{ json_with("'{}'", 'shopify', {'tags': 'tags.tags'}) }} end as extra,
        {{ lineage('shopify', 'customer') }}
    from customers
    left join tags on {{ clean_key('customers.id') }} = tags.customer_key
)

select * from final
