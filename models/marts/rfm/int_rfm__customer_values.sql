-- One row per customer and day: recency, frequency and money as they stood on that day.
-- The days are the stored days and, with frozen cuts, the quarter ends whose customers make the cuts. Who ordered once but
-- not in the window stays, with frequency 0 and money 0.
{% set window_days = setting('rfm_window_days') %}
with

days as (
    select as_of as day_on from {{ ref('int_calendar__stored_days') }}
    union
    select {{ rfm_cut_day('as_of') }} as day_on from {{ ref('int_calendar__stored_days') }}
),

customers as (
    select customer_id from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous
),

orders as (
    select order_key, customer_id, ordered_on, valid_from_on, valid_to_on, paid_amount from {{ ref('fct_order') }}
    where valid_from_on is not null
),

refunds as (
    select order_key, refunded_on, refund_amount from {{ ref('fct_refund') }}
    where is_completed and order_key is not null
),

order_days as (
    select
        orders.order_key,
        orders.customer_id,
        days.day_on,
        orders.ordered_on,
        orders.paid_amount,
        {% if window_days is none -%} true
        {%- else -%} {{ days_between('orders.ordered_on', 'days.day_on') }} < {{ window_days }}
        {%- endif %} as is_in_window
    from orders
    inner join customers on orders.customer_id = customers.customer_id
    inner join days on {{ valid_on('orders', 'days.day_on') }}
),

refund_days as (
    select order_days.customer_id, order_days.day_on, sum(refunds.refund_amount) as refund_amount
    from refunds
    inner join order_days on refunds.order_key = order_days.order_key and refunds.refunded_on <= order_days.day_on
    where order_days.is_in_window and order_days.paid_amount is not null
    group by order_days.customer_id, order_days.day_on
),

customer_days as (
    select
        customer_id,
        day_on,
        max(ordered_on) as last_order_on,
        count(*) as order_count,
        count(*) filter (where is_in_window) as frequency,
        coalesce(sum(paid_amount) filter (where is_in_window), 0) as paid_amount
    from order_days
    group by customer_id, day_on
),

final as (
    select
        cast(customer_days.customer_id as string) as customer_id,
        cast(customer_days.day_on as date) as day_on,
        cast(customer_days.last_order_on as date) as last_order_on,
        cast(customer_days.order_count as bigint) as order_count,
        cast({{ days_between('customer_days.last_order_on', 'customer_days.day_on') }} as bigint) as recency_days,
        cast(customer_days.frequency as bigint) as frequency,
        cast(greatest(customer_days.paid_amount - coalesce(refund_days.refund_amount, 0), 0) as decimal(18,4))
            as monetary_amount
    from customer_days
    left join refund_days
        on
            customer_days.customer_id = refund_days.customer_id
            and customer_days.day_on = refund_days.day_on
)

select * from final
