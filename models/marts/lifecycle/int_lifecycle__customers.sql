-- One row per customer who has stages: everybody seen by the as-of day who is neither a test nor the unknown customer.
-- Who asks to be erased is followed no more from that day on, whatever arrives later.
-- The number stands for the id in the steps between, because tens of millions of days sort much faster by a number.
with

customers as (
    select * from {{ ref('dim_customer') }}
),

units as (
    select
        business_unit,
        {{ lifecycle_known_type('business_type') }} as business_type
    from {{ ref('business_unit') }}
),

erasures as (
    select
        customer_id,
        min(event_on) as left_on
    from {{ ref('fct_privacy_event') }}
    where action = 'erase' and not is_test
    group by customer_id
),

final as (
    select
        cast(row_number() over (order by customers.customer_id nulls last) as bigint) as customer_number,
        customers.customer_id,
        customers.first_touch_on,
        customers.registered_on,
        case when erasures.left_on <= as_of.as_of then erasures.left_on end as left_on,
        coalesce(units.business_type, {{ setting_text('default_business_type') }}) as business_type
    from customers
    cross join {{ ref('int_core__as_of') }} as as_of
    left join units on customers.business_unit = units.business_unit
    left join erasures on customers.customer_id = erasures.customer_id
    where not customers.is_test and not customers.is_unknown and customers.first_touch_on <= as_of.as_of
)

select * from final
