-- One row per landed line: a product in a basket.
with

transactions as (
    select * from {{ landed('completejourney', 'transactions') }}
),

final as (
    select
        'completejourney' as source_system,
        basket_id || '-' || product_id as source_record_id,
        basket_id as order_ref,
        quantity,
        sales_value as line_paid,
        product_id as product_ref,
        -- coupon_disc is paid to the retailer by the manufacturer, so it is part of sales_value and no discount here
        case
            when {{ is_unreadable('retail_disc') }} then retail_disc
            when {{ is_unreadable('coupon_match_disc') }} then coupon_match_disc
            else {{ exact('retail_disc', '+', 'coupon_match_disc') }}
        end as line_discount,
        {{ lineage('completejourney', 'transactions') }}
    from transactions
)

select * from final
