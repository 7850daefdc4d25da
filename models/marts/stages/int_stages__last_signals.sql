-- One row per identified customer and stored day, from the first paid order on: the last that was known of them by that day. An order
-- counts that was valid for a day, or was given back on the day of its payment; what became of it later is one of the signals.
{%- set price_rise_ratio = 1.05 %}
with

days as (
    select as_of, {{ month_of('as_of') }} as month_on from {{ ref('int_calendar__stored_days') }}
),

first_month as (
    select min(month_on) as month_on from days
),

orders as (
    select
        orders.customer_id,
        orders.order_key,
        orders.channel_code,
        coalesce(orders.valid_from_on, greatest(orders.ordered_on, orders.paid_on)) as known_on,
        row_number() over (
            partition by orders.customer_id order by orders.ordered_at asc nulls last, orders.order_key asc nulls last
        ) as place
    from {{ ref('fct_order') }} as orders
    inner join {{ ref('dim_customer') }} as customers on orders.customer_id = customers.customer_id
    where
        not customers.is_unknown and not customers.is_anonymous and not customers.is_test
        and (orders.valid_from_on is not null or (orders.is_sale and orders.fully_refunded_on is not null))
),

last_places as (
    select orders.customer_id, days.as_of, max(orders.place) as place
    from orders
    inner join days on orders.known_on <= days.as_of
    group by orders.customer_id, days.as_of
),

last_orders as (
    select last_places.customer_id, last_places.as_of, orders.order_key, orders.channel_code
    from last_places
    inner join orders on last_places.customer_id = orders.customer_id and last_places.place = orders.place
),

refunds as (
    select order_key, min(refunded_on) as refunded_on from {{ ref('fct_refund') }}
    where is_completed and order_key is not null
    group by order_key
),

order_lines as (
    select
        order_key, order_line_key, product_key, ordered_on, line_paid_amount,
        coalesce(cast(unit_price_amount as double), cast(line_paid_amount as double) / nullif(cast(quantity as double), 0)) as price
    from {{ ref('fct_order_line') }}
    where not is_orphan and product_key is not null and line_paid_amount > 0
),

-- The product that most was paid for stands for the order.
bought as (
    select
        last_orders.customer_id, last_orders.as_of, order_lines.product_key, order_lines.price,
        row_number() over (
            partition by last_orders.customer_id, last_orders.as_of
            order by order_lines.line_paid_amount desc nulls last, order_lines.order_line_key asc nulls last
        ) as place
    from last_orders
    inner join order_lines on last_orders.order_key = order_lines.order_key
),

-- What a product cost when it was last bought in the month; all that lies before the first stored day counts for it.
sold as (
    select
        order_lines.product_key, days.as_of, order_lines.price,
        row_number() over (
            partition by order_lines.product_key, days.as_of
            order by order_lines.ordered_on desc nulls last, order_lines.order_line_key desc nulls last
        ) as place
    from order_lines
    cross join first_month
    inner join days
        on
            greatest({{ month_of('order_lines.ordered_on') }}, first_month.month_on) = days.month_on
            and order_lines.ordered_on <= days.as_of
),

products as (
    select distinct product_key from sold
),

prices as (
    select
        products.product_key,
        days.as_of,
        {{ last_known('sold.price', 'partition by products.product_key order by days.as_of asc nulls last') }} as price
    from products
    cross join days
    left join sold on products.product_key = sold.product_key and days.as_of = sold.as_of and sold.place = 1
),

answers as (
    select
        customer_id, feedback_on, score,
        lead(feedback_on) over (partition by customer_id order by feedback_at asc nulls last, feedback_key asc nulls last) as next_on
    from {{ ref('fct_feedback') }}
    where feedback_kind = 'nps' and scale_max = 10 and score is not null and not is_test
),

tickets as (
    select distinct feedback.customer_id, days.as_of
    from {{ ref('fct_feedback') }} as feedback
    inner join days
        on
            feedback.feedback_on <= days.as_of
            and coalesce(
                {{ local_day('feedback.resolved_at') }} > days.as_of,
                coalesce(feedback.status, '') not in ('resolved', 'rejected', 'deleted')
            )
    where feedback.feedback_kind in ('ticket', 'complaint') and not feedback.is_test
),

final as (
    select
        last_orders.customer_id,
        last_orders.as_of,
        last_orders.order_key as last_order_key,
        cast(last_orders.channel_code as string) as last_channel_code,
        coalesce(refunds.refunded_on <= last_orders.as_of, false) as is_last_order_refunded,
        coalesce(answers.score <= 6, false) as is_last_nps_low,
        tickets.customer_id is not null as is_ticket_open,
        coalesce(prices.price > {{ price_rise_ratio }} * bought.price, false) as is_price_risen
    from last_orders
    left join refunds on last_orders.order_key = refunds.order_key
    left join bought on last_orders.customer_id = bought.customer_id and last_orders.as_of = bought.as_of and bought.place = 1
    left join prices on bought.product_key = prices.product_key and bought.as_of = prices.as_of
    left join answers
        on
            last_orders.customer_id = answers.customer_id
            and last_orders.as_of >= answers.feedback_on
            and last_orders.as_of < coalesce(answers.next_on, cast('9999-12-31' as date))
    left join tickets on last_orders.customer_id = tickets.customer_id and last_orders.as_of = tickets.as_of
)

select * from final
