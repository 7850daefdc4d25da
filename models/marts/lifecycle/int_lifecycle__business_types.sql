-- One row per customer and day on which they place an order: the business type that they belong to from that day on. Of several
-- orders of one day the last one decides; an order that names no known type falls back on its business unit, then on the account.
with

orders as (
    select customer_id, order_key, ordered_at, ordered_on, business_type, business_unit
    from {{ ref('fct_order') }}
    where not is_test
),

units as (
    select * from {{ ref('business_unit') }}
),

placed as (
    select
        customers.customer_number,
        orders.ordered_on as day_on,
        coalesce(
            {{ lifecycle_known_type('orders.business_type') }},
            {{ lifecycle_known_type('units.business_type') }},
            customers.business_type
        ) as business_type,
        row_number() over (
            partition by customers.customer_number, orders.ordered_on
            order by orders.ordered_at desc nulls last, orders.order_key desc nulls last
        ) as place
    from orders
    inner join {{ ref('int_lifecycle__customers') }} as customers on orders.customer_id = customers.customer_id
    left join units on orders.business_unit = units.business_unit
),

final as (
    select
        customer_number,
        day_on,
        business_type
    from placed
    where place = 1
)

select * from final
