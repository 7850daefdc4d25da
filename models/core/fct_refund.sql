-- One row per refund, on its own day. is_counted says that it counts in net sales by refund day: completed, on or before as_of,
-- and of an order whose sale counts, or of no order at all.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

refunds as (
    select * from {{ ref('int_core__refunds') }}
),

orders as (
    select order_key, original_paid_amount, paid_amount, exclusion_reason from {{ ref('fct_order') }}
),

running as (
    select
        r.*,
        o.original_paid_amount,
        o.paid_amount,
        o.exclusion_reason as order_exclusion_reason,
        case when r.is_completed then coalesce(r.amount_in_order_currency, 0) else 0 end as taken_amount,
        sum(case when r.is_completed then coalesce(r.amount_in_order_currency, 0) else 0 end) over (
            partition by r.order_key
            order by r.refunded_on asc nulls last, r.refunded_at asc nulls last, r.refund_key asc nulls last
            rows between unbounded preceding and current row
        ) as taken_so_far,
        sum(case when r.is_completed then coalesce(r.refund_amount, 0) else 0 end) over (
            partition by r.order_key
            order by r.refunded_on asc nulls last, r.refunded_at asc nulls last, r.refund_key asc nulls last
            rows between unbounded preceding and current row
        ) as refunded_so_far
    from refunds as r
    left join orders as o on o.order_key = r.order_key
),

judged as (
    select
        r.*,
        case when r.taken_so_far >= r.original_paid_amount then r.refunded_so_far - r.paid_amount else 0 end as excess_after,
        case
            when r.taken_so_far - r.taken_amount >= r.original_paid_amount
                then r.refunded_so_far - case when r.is_completed then coalesce(r.refund_amount, 0) else 0 end - r.paid_amount
            else 0
        end as excess_before,
        case
            when not r.is_completed then 'not_completed'
            when r.is_test then 'test'
            when r.order_exclusion_reason <> 'fully_refunded' then r.order_exclusion_reason
            when r.refunded_on > a.as_of then 'after_as_of'
        end as exclusion_reason
    from running as r
    cross join as_of as a
),

final as (
    select
        refund_key,
        source_system,
        refund_id,
        order_key,
        customer_id,
        named_order_key,
        order_line_ref,
        product_key,
        store_ref,
        refunded_at,
        refunded_on,
        refund_kind,
        status,
        is_completed,
        exclusion_reason is null as is_counted,
        exclusion_reason,
        order_key is null as is_orderless,
        currency,
        fx_rate,
        original_amount,
        refund_amount,
        shipping_refunded_amount,
        -- How far this refund raises what was given back beyond what was paid; where rates moved between the order and its
        -- full refund, it holds the difference that they made.
        {{ as_money("case when exclusion_reason is null and order_key is not null then excess_after - excess_before else 0 end") }}
            as excess_amount,
        cast(quantity as decimal(18, 4)) as quantity,
        is_test
    from judged
)

select * from final
