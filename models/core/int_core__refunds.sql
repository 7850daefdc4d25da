-- One row per refund that is not deleted, tied to its order where there is one, in the order's and the reporting currency.
-- A refund states no currency in most files: it is the order's, else the reporting one. A reference to an order that does not
-- exist leaves the refund orderless, so that its money still counts in totals.
with

refunds as (
    select
        r.*,
        {{ local_day('r.refunded_at') }} as refunded_on,
        {{ ref_key('r', 'order_ref') }} as named_order_key,
        {{ ref_key('r', 'product_ref') }} as product_key,
        person.customer_id as named_customer_id,
        coalesce(person.is_test, false) as names_test_account
    from {{ ref('unified_refund') }} as r
    {{ join_person('r', 'refund') }}
    {{ join_ref('r', 'order_ref', 'order_header') }}
    {{ join_ref('r', 'product_ref', 'product') }}
    where not r.is_deleted
),

orders as (
    select order_key, customer_id, currency, fx_rate, original_paid_amount, original_tax_amount, is_test
    from {{ ref('int_core__orders') }}
),

tied as (
    select
        r.*,
        o.order_key,
        o.fx_rate as order_fx_rate,
        o.currency as order_currency,
        o.original_paid_amount,
        o.original_tax_amount,
        coalesce(o.customer_id, r.named_customer_id, '-1') as customer_id,
        coalesce(o.is_test, r.names_test_account) as is_test,
        coalesce(r.currency, o.currency, {{ setting_text('reporting_currency') }}) as refund_currency
    from refunds as r
    left join orders as o on o.order_key = r.named_order_key
),

rated as (
    select
        t.*,
        {{ rate_of('t.refund_currency') }} as fx_rate
    from tied as t
    {{ join_rate('t.refund_currency', 't.refunded_on') }}
),

final as (
    select
        {{ record_key('r') }} as refund_key,
        r.source_system,
        r.source_record_id as refund_id,
        r.order_key,
        r.named_order_key,
        r.order_line_ref,
        r.product_key,
        r.store_ref,
        r.customer_id,
        r.is_test,
        r.refunded_at,
        r.refunded_on,
        coalesce(r.refund_kind, 'refund') as refund_kind,
        coalesce(r.status, 'completed') as status,
        coalesce(r.status, 'completed') = 'completed' as is_completed,
        r.refund_currency as currency,
        cast(r.fx_rate as decimal(18, 8)) as fx_rate,
        r.amount as original_amount,
        r.quantity,
        -- What it takes away from what was paid, in the currency in which that was paid.
        case
            when r.order_key is null then null
            when r.refund_currency = r.order_currency then r.amount
            else
                try_cast(round(
                    cast(r.amount as double) * cast(r.fx_rate as double) / cast(nullif(r.order_fx_rate, 0) as double), 4
                ) as decimal(18, 4))
        end as amount_in_order_currency,
        {{ converted(less_tax('r.amount', 'r.original_paid_amount', 'r.original_tax_amount'), 'r.fx_rate') }} as refund_amount,
        {{ converted('r.shipping_refunded', 'r.fx_rate') }} as shipping_refunded_amount
    from rated as r
)

select * from final
