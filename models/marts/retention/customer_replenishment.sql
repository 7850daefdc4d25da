-- One row per stored day, customer and product group that they bought by then: when they probably need more. The cycle is the
-- median gap between their own purchase days, from three gaps on, else that of the product bought last, else that of all customers in
-- the group. Orders count on the days on which they are valid, so that any past day is looked at with what was known on it. Nobody is
-- reminded from the day on which they ask to be erased.
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
),

orders as (
    select
        orders.order_key,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.valid_from_on,
        orders.valid_to_on,
        people.left_on
    from {{ ref('fct_order') }} as orders
    inner join {{ ref('dim_customer') }} as customers on orders.customer_id = customers.customer_id
    left join {{ ref('int_lifecycle__customers') }} as people on orders.customer_id = people.customer_id
    where orders.valid_from_on is not null and not customers.is_unknown and not customers.is_anonymous
),

products as (
    select product_key, version_number, coalesce(category_l2, category_l1) as category, replenish_days
    from {{ ref('dim_product') }}
),

lines as (
    select
        orders.customer_id,
        products.category,
        orders.ordered_on,
        orders.valid_from_on,
        orders.valid_to_on,
        orders.left_on,
        products.replenish_days,
        row_number() over (
            partition by orders.customer_id, products.category
            order by orders.ordered_at nulls last, orders.order_key nulls last, lines.order_line_key nulls last
        ) as place
    from orders
    inner join {{ ref('fct_order_line') }} as lines on orders.order_key = lines.order_key
    inner join products
        on lines.product_key = products.product_key and lines.product_version_number = products.version_number
    where products.category is not null
),

purchases as (
    select
        days.as_of,
        lines.customer_id,
        lines.category,
        lines.ordered_on,
        max_by(coalesce(lines.replenish_days, 0), lines.place) as replenish_days
    from lines
    inner join days on {{ valid_on('lines', 'days.as_of') }}
    where lines.left_on is null or days.as_of < lines.left_on
    group by days.as_of, lines.customer_id, lines.category, lines.ordered_on
),

gaps as (
    select
        purchases.*,
        {{ days_between(
            'lag(ordered_on) over (partition by as_of, customer_id, category order by ordered_on nulls last)', 'ordered_on'
        ) }} as gap_days
    from purchases
),

personal as (
    select
        as_of,
        customer_id,
        category,
        max(ordered_on) as last_purchase_on,
        count(*) as purchase_day_count,
        count(gap_days) as gap_count,
        median(gap_days) as gap_days,
        max_by(replenish_days, ordered_on) as replenish_days
    from gaps
    group by as_of, customer_id, category
),

categories as (
    select
        as_of,
        category,
        median(gap_days) as gap_days
    from gaps
    group by as_of, category
),

-- A median ends in a whole or a half day, and half days round up.
cycles as (
    select
        personal.*,
        case
            when personal.gap_count >= 3 then 'personal'
            when personal.replenish_days > 0 then 'product'
            when categories.gap_days is not null then 'category'
        end as cycle_source,
        case
            when personal.gap_count >= 3 then cast(ceil(personal.gap_days) as bigint)
            when personal.replenish_days > 0 then personal.replenish_days
            else cast(ceil(categories.gap_days) as bigint)
        end as cycle_days
    from personal
    inner join categories on personal.as_of = categories.as_of and personal.category = categories.category
),

final as (
    select
        customer_id,
        category,
        as_of,
        last_purchase_on,
        cast(purchase_day_count as bigint) as purchase_day_count,
        cycle_source,
        cycle_days,
        {{ days_later('last_purchase_on', 'cycle_days') }} as expected_on,
        {{ days_later('last_purchase_on', 'cycle_days - ' ~ setting('replenish_lead_days')) }} as remind_on,
        coalesce(
            {{ days_between('as_of', days_later('last_purchase_on', 'cycle_days - ' ~ setting('replenish_lead_days'))) }} between 0 and 6,
            false
        ) as is_due_this_week
    from cycles
)

select * from final
