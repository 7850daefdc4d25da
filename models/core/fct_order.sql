-- One row per order, whatever became of it: its validity, its money in the reporting currency, its place in the customer's row.
-- Net sales by order day = sum(net_amount). Net sales by refund day = sum(paid_amount) where is_sale, less refund_amount of
-- fct_refund where is_counted. The two differ by orderless refunds and by excess_amount.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

orders as (
    select * from {{ ref('int_core__orders') }}
),

states as (
    select order_key, valid_from_on, valid_to_on, fully_refunded_on, exclusion_reason from {{ ref('int_core__order_states') }}
),

refunded as (
    select
        r.order_key,
        sum(r.refund_amount) as refunded_amount
    from {{ ref('int_core__refunds') }} as r
    inner join as_of as a on r.refunded_on <= a.as_of
    where r.order_key is not null and r.is_completed
    group by r.order_key
),

stated as (
    select
        o.*,
        s.valid_from_on,
        s.valid_to_on,
        s.fully_refunded_on,
        s.exclusion_reason,
        s.exclusion_reason is null as is_valid,
        coalesce(r.refunded_amount, 0) as refunded_amount
    from orders as o
    inner join states as s on s.order_key = o.order_key
    left join refunded as r on r.order_key = o.order_key
),

numbered as (
    select
        *,
        case
            when is_valid and customer_id <> '-1' then row_number() over (
                partition by customer_id, is_valid
                order by ordered_at asc nulls last, order_key asc nulls last
            )
        end as order_sequence
    from stated
),

final as (
    select
        order_key,
        source_system,
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
        paid_on,
        cancelled_on,
        fully_refunded_on,
        valid_from_on,
        valid_to_on,
        is_valid,
        exclusion_reason,
        is_valid or exclusion_reason = 'fully_refunded' as is_sale,
        paid_amount is null as is_rate_missing,
        status,
        order_kind,
        business_type,
        business_unit,
        platform,
        channel_code,
        channel_raw,
        store_ref,
        campaign_key,
        utm_source,
        utm_medium,
        utm_campaign,
        coupon_ref,
        currency,
        fx_rate,
        original_paid_amount,
        paid_amount,
        goods_amount,
        discount_amount,
        shipping_amount,
        tax_amount,
        {{ as_money('refunded_amount') }} as refunded_amount,
        {{ as_money("case when is_valid then paid_amount - refunded_amount else 0 end") }} as net_amount,
        {{ as_money("case when exclusion_reason = 'fully_refunded' then refunded_amount - paid_amount else 0 end") }} as excess_amount,
        cast(order_sequence as bigint) as order_sequence,
        coalesce(order_sequence = 1, false) as is_first_order,
        is_test,
        is_gift
    from numbered
)

select * from final
