-- One row per order that is not deleted: references resolved, days local, money at the rate of the order's day.
-- Gross amounts stay in the order's own currency, because only there a full refund equals what was paid.
with

orders as (
    select
        *,
        {{ local_day('ordered_at') }} as ordered_on,
        {{ local_day('cancelled_at') }} as cancelled_on,
        coalesce(channel_raw, utm_source, platform, source_system) as channel_text,
        -- A status that implies payment stands for a missing paid_at.
        case
            when paid_at is not null then {{ local_day('paid_at') }}
            when status in ('paid', 'shipped', 'completed') then {{ local_day('ordered_at') }}
        end as paid_on
    from {{ ref('unified_order_header') }}
    where not is_deleted
),

resolved as (
    select
        o.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(o.is_test, false) or coalesce(person.is_test, false) as is_test_order,
        {{ ref_key('o', 'campaign_ref') }} as campaign_key,
        {{ channel_code('o.channel_text') }} as channel_code,
        {{ rate_of('o.currency') }} as fx_rate
    from orders as o
    {{ join_person('o', 'order_header') }}
    {{ join_ref('o', 'campaign_ref', 'campaign') }}
    {{ join_channel('o.channel_text') }}
    {{ join_rate('o.currency', 'o.ordered_on') }}
),

final as (
    select
        {{ record_key('r') }} as order_key,
        r.source_system,
        r.source_record_id as order_id,
        r.customer_id,
        r.ordered_at,
        r.ordered_on,
        r.paid_on,
        r.cancelled_on,
        r.status,
        r.order_kind,
        r.is_test_order as is_test,
        coalesce(r.is_gift, false) as is_gift,
        r.business_type,
        r.business_unit,
        r.platform,
        r.channel_code,
        r.channel_raw,
        r.store_ref,
        r.campaign_key,
        r.utm_source,
        r.utm_medium,
        r.utm_campaign,
        r.coupon_ref,
        r.currency,
        cast(r.fx_rate as decimal(18, 8)) as fx_rate,
        r.paid_amount as original_paid_amount,
        r.tax_amount as original_tax_amount,
        coalesce(r.tax_included, true) as is_tax_included,
        {{ converted(less_tax('r.paid_amount', 'r.paid_amount', 'r.tax_amount'), 'r.fx_rate') }} as paid_amount,
        {{ converted('r.goods_amount', 'r.fx_rate') }} as goods_amount,
        {{ converted('r.discount_amount', 'r.fx_rate') }} as discount_amount,
        {{ converted('r.shipping_amount', 'r.fx_rate') }} as shipping_amount,
        {{ converted('r.tax_amount', 'r.fx_rate') }} as tax_amount
    from resolved as r
)

select * from final
