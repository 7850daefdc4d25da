-- One row per customer and local day with an event or an order. The unknown customer is no person and has no days.
-- Active: an event that counts as activity, or an order placed; a later refund or cancellation does not undo it.
with

actions as (
    select
        customer_id,
        event_on as day_on,
        1 as event_count,
        case when is_active_event then 1 else 0 end as active_event_count,
        0 as placed_order_count
    from {{ ref('fct_event') }}
    where not is_bot and not is_test and customer_id <> '-1'

    union all

    select
        customer_id,
        ordered_on as day_on,
        0 as event_count,
        0 as active_event_count,
        1 as placed_order_count
    from {{ ref('fct_order') }}
    where not is_test and customer_id <> '-1'
),

final as (
    select
        customer_id,
        day_on,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(active_event_count) as bigint) as active_event_count,
        cast(sum(placed_order_count) as bigint) as placed_order_count,
        sum(active_event_count) + sum(placed_order_count) > 0 as is_active
    from actions
    group by customer_id, day_on
)

select * from final
