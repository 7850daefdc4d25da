-- One row per landed version of an order, with its first discount code and the moment of its first payment.
with

orders as (
    select * from {{ landed('shopify', 'order') }}
),

payments as (
    select
        {{ clean_key('order_id') }} as order_key,
        min_by(paid_at, {{ typed_timestamp('trim(paid_at)') }}) as paid_at
    from (
        select order_id, _timezone, coalesce(nullif(trim(processed_at), ''), created_at) as paid_at
        from {{ landed_current('shopify', 'transaction', shopify_lookups().transaction) }} as transactions
        where
            lower(trim(kind)) in ('sale', 'capture')
            and lower(trim(status)) = 'success'
            and lower(trim(coalesce(test, 'false'))) <> 'true'
    ) as successful
    group by 1
),

codes as (
    select {{ clean_key('order_id') }} as order_key, min_by(code, try_cast(trim(index) as bigint)) as code
    from {{ landed_current('shopify', 'order_discount_code', shopify_lookups().order_discount_code) }} as order_discount_code
    group by 1
),

final as (
    select
        'shopify' as source_system,
        orders.id as source_record_id,
        -- an order brought in from another system was placed at processed_at, long before it was created here
        coalesce(nullif(trim(orders.processed_at), ''), orders.created_at) as ordered_at,
        case
            when trim(orders.cancelled_at) <> '' then 'cancelled'
            when trim(orders.financial_status) = '' or orders.financial_status is null then null
            when lower(trim(orders.financial_status)) = 'voided' then 'cancelled'
            when lower(trim(orders.financial_status)) in ('pending', 'authorized', 'partially_paid', 'unpaid', 'expired') then 'created'
            when lower(trim(orders.financial_status)) not in ('paid', 'partially_refunded', 'refunded') then orders.financial_status
            when lower(trim(orders.fulfillment_status)) <> 'fulfilled' or orders.fulfillment_status is null then 'paid'
            when trim(orders.closed_at) <> '' then 'completed'
            else 'shipped'
        end as status,
        orders.total_price as paid_amount,
        coalesce(nullif(trim(orders.currency), ''), orders.total_price_set_shop_currency_code) as currency,
        orders.customer_id as account_ref,
        orders.ids,
        payments.paid_at,
        orders.cancelled_at,
        case when lower(trim(orders.fulfillment_status)) = 'fulfilled' then orders.closed_at end as completed_at,
        orders.location_id as store_ref,
        {{ shopify_platform('orders.source_name') }} as platform,
        orders.source_name as channel_raw,
        {{ url_parameter('orders.landing_site_base_url', 'utm_source') }} as utm_source,
        {{ url_parameter('orders.landing_site_base_url', 'utm_medium') }} as utm_medium,
        {{ url_parameter('orders.landing_site_base_url', 'utm_campaign') }} as utm_campaign,
        -- the newer shape states goods only after discounts
        case
            when trim(orders.total_line_items_price) <> '' then orders.total_line_items_price
            else {{ exact('orders.subtotal_price', '+', 'orders.total_discounts') }}
        end as goods_amount,
        orders.total_discounts as discount_amount,
        -- the older shape does not state shipping: it is what remains of the total
        case
            when trim(orders.total_shipping_price_set_shop_amount) <> '' then orders.total_shipping_price_set_shop_amount
            when lower(trim(orders.taxes_included)) = 'true'
                then {{ exact('orders.total_price', '-', 'orders.subtotal_price') }}
            else {{ exact('orders.total_price', '-', 'orders.subtotal_price', '-', 'orders.total_tax') }}
        end as shipping_amount,
        orders.total_tax as tax_amount,
        orders.taxes_included as tax_included,
        codes.code as coupon_ref,
        orders.test as is_test,
        orders._fivetran_synced as loaded_at,
        orders.updated_at,
        orders._fivetran_deleted as is_deleted,
        {{ lineage('shopify', 'order') }}
    from orders
    left join payments on {{ clean_key('orders.id') }} = payments.order_key
    left join codes on {{ clean_key('orders.id') }} = codes.order_key
)

select * from final
