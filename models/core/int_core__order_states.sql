-- One row per order, with the days on which it is valid and why it is not on the others: the one order-state machine.
-- Valid on day d = a sale above zero, ordered and paid on or before d, no test, not cancelled by d, and refunded for less than
-- was paid by d. The days do not depend on as_of, so that any past day can be looked at; the reason is the one on as_of.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

orders as (
    select order_key, ordered_on, paid_on, cancelled_on, status, order_kind, is_test, original_paid_amount
    from {{ ref('int_core__orders') }}
),

refund_days as (
    select
        order_key,
        refunded_on,
        sum(coalesce(amount_in_order_currency, 0)) as day_amount
    from {{ ref('int_core__refunds') }}
    where order_key is not null and is_completed
    group by order_key, refunded_on
),

cumulative as (
    select
        d.order_key,
        d.refunded_on,
        sum(d.day_amount) over (
            partition by d.order_key
            order by d.refunded_on asc nulls last
            rows between unbounded preceding and current row
        ) >= o.original_paid_amount as is_full
    from refund_days as d
    inner join orders as o on o.order_key = d.order_key
),

-- A refund that was taken back reopens the order: it is fully refunded from the first day after the last one that was not.
reopened as (
    select
        order_key,
        max(case when not is_full then refunded_on end) as last_open_on
    from cumulative
    group by order_key
),

full_refunds as (
    select
        c.order_key,
        min(c.refunded_on) as fully_refunded_on
    from cumulative as c
    inner join reopened as r on r.order_key = c.order_key
    where c.is_full and (r.last_open_on is null or c.refunded_on > r.last_open_on)
    group by c.order_key
),

dated as (
    select
        o.order_key,
        o.cancelled_on,
        f.fully_refunded_on,
        greatest(o.ordered_on, o.paid_on) as from_on,
        o.paid_on,
        -- Least passes over NULL on both engines.
        least(o.cancelled_on, f.fully_refunded_on) as to_on,
        case
            when o.is_test then 'test'
            when coalesce(o.order_kind, 'sale') <> 'sale' then 'kind'
            when o.original_paid_amount <= 0 then 'zero_paid'
            when o.status = 'cancelled' and o.cancelled_on is null then 'cancelled'
        end as never_reason
    from orders as o
    left join full_refunds as f on f.order_key = o.order_key
),

final as (
    select
        d.order_key,
        d.fully_refunded_on,
        case when d.never_reason is null and d.paid_on is not null and (d.to_on is null or d.to_on > d.from_on) then d.from_on end
            as valid_from_on,
        case when d.never_reason is null and d.paid_on is not null and d.to_on > d.from_on then d.to_on end as valid_to_on,
        case
            when d.never_reason is not null then d.never_reason
            when d.cancelled_on <= a.as_of then 'cancelled'
            when d.paid_on is null or d.from_on > a.as_of then 'not_paid'
            when d.fully_refunded_on <= a.as_of then 'fully_refunded'
        end as exclusion_reason
    from dated as d
    cross join as_of as a
)

select * from final
