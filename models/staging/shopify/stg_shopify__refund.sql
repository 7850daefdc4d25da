-- One row per landed version of a refund's line or adjustment, with the order and the moment of the refund's header.
-- A line whose header has not been landed has no moment and waits in quarantine; it loads by itself when the header comes.
-- The tax of a line is part of its subtotal where the order's prices contain tax, and comes on top otherwise. An
-- adjustment changes the order's total: what goes back to the buyer is negative there and positive here.
with

refund_lines as (
    select * from {{ landed('shopify', 'order_line_refund') }}
),

adjustments as (
    select * from {{ landed('shopify', 'order_adjustment') }}
),

refunds as (
    select _key, order_id, coalesce(nullif(trim(processed_at), ''), created_at) as refunded_at
    from {{ landed_current('shopify', 'refund', shopify_lookups().refund) }} as refund
),

orders as (
    select _key, taxes_included
    from {{ landed_current('shopify', 'order', {'key': ['id'], 'order': ['updated_at', '_fivetran_synced']}) }} as orders
),

of_lines as (
    select
        'line-' || refund_lines.id as source_record_id,
        refunds.order_id as order_ref,
        refunds.refunded_at,
        case
            when {{ is_unreadable('refund_lines.subtotal') }} or lower(trim(orders.taxes_included)) = 'true' then refund_lines.subtotal
            when {{ is_unreadable('refund_lines.total_tax') }} then refund_lines.total_tax
            else {{ exact('refund_lines.subtotal', '+', 'refund_lines.total_tax?') }}
        end as amount,
        refund_lines.order_line_id as order_line_ref,
        refund_lines.location_id as store_ref,
        refund_lines.subtotal_set_shop_currency_code as currency,
        case when lower(trim(refund_lines.restock_type)) = 'return' then 'return' else 'refund' end as refund_kind,
        refund_lines.quantity,
        cast(null as string) as shipping_refunded,
        refund_lines.restock_type as reason,
        refund_lines._fivetran_synced as loaded_at,
        {{ lineage('shopify', 'order_line_refund') }}
    from refund_lines
    left join refunds on {{ clean_key('refund_lines.refund_id') }} = refunds._key
    left join orders on {{ clean_key('refunds.order_id') }} = orders._key
),

adjusted as (
    select
        *,
        coalesce(nullif(trim(kind), ''), replace(trim(reason), ' ', '_')) as adjustment_kind,
        case
            when {{ is_unreadable('amount') }} then amount
            when {{ is_unreadable('tax_amount') }} then tax_amount
            else {{ exact('-', 'amount', '-', 'tax_amount?') }}
        end as money_back
    from adjustments
),

of_adjustments as (
    select
        'adjustment-' || adjusted.id as source_record_id,
        coalesce(nullif(trim(adjusted.order_id), ''), refunds.order_id) as order_ref,
        refunds.refunded_at,
        adjusted.money_back as amount,
        cast(null as string) as order_line_ref,
        cast(null as string) as store_ref,
        adjusted.amount_set_shop_currency_code as currency,
        case when lower(adjusted.adjustment_kind) = 'shipping_refund' then 'refund' else 'price_adjust' end as refund_kind,
        cast(null as string) as quantity,
        case when lower(adjusted.adjustment_kind) = 'shipping_refund' then adjusted.money_back end as shipping_refunded,
        adjusted.reason,
        adjusted._fivetran_synced as loaded_at,
        {{ lineage('shopify', 'order_adjustment') }}
    from adjusted
    left join refunds on {{ clean_key('adjusted.refund_id') }} = refunds._key
),

final as (
    select 'shopify' as source_system, of_lines.* from of_lines
    union all
    select 'shopify' as source_system, of_adjustments.* from of_adjustments
)

select * from final
