-- One row per landed version of a checkout that was begun: the shop lists those that did not become an order at once.
with

checkouts as (
    select * from {{ landed('shopify', 'abandoned_checkout') }}
),

final as (
    select
        'shopify' as source_system,
        'checkout-' || id as source_record_id,
        created_at as event_at,
        'checkout_start' as event_name,
        customer_id as account_ref,
        ids,
        {{ shopify_platform('source_name') }} as platform,
        {{ url_parameter('landing_site_base_url', 'utm_source') }} as utm_source,
        {{ url_parameter('landing_site_base_url', 'utm_medium') }} as utm_medium,
        {{ url_parameter('landing_site_base_url', 'utm_campaign') }} as utm_campaign,
        {{ url_parameter('landing_site_base_url', 'utm_content') }} as utm_content,
        {{ url_parameter('landing_site_base_url', 'utm_term') }} as utm_term,
        total_price as value,
        landing_site_base_url as url,
        _fivetran_synced as loaded_at,
        updated_at,
        _fivetran_deleted as is_deleted,
        {{ lineage('shopify', 'abandoned_checkout') }}
    from checkouts
)

select * from final
