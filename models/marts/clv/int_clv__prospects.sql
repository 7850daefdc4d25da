-- One row per customer who counts: where they came from, when, and on what terms they buy. Buyers are among them.
-- Contractual is who has a business type that ends by contract (it has grace days) and who has subscriptions and no order that counts.
with

customers as (
    select
        customer_id,
        first_channel,
        registered_on,
        coalesce(first_touch_on, first_seen_on) as known_from_on
    from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

types as (
    select
        people.customer_id,
        coalesce(max_by(placed.business_type, placed.day_on), max(people.business_type)) as business_type
    from {{ ref('int_lifecycle__customers') }} as people
    cross join {{ ref('int_core__as_of') }} as as_of
    left join {{ ref('int_lifecycle__business_types') }} as placed
        on people.customer_number = placed.customer_number and placed.day_on <= as_of.as_of
    group by people.customer_id
),

contracts as (
    select distinct business_type from {{ ref('business_profile') }}
    where param_key = 'grace_days' and business_type <> '*'
),

order_days as (
    select customer_id from {{ ref('int_clv__day_changes') }}
    where order_day_on is not null
    group by customer_id, order_day_on
    having sum(order_delta) > 0
),

buyers as (
    select distinct customer_id from order_days
),

subscribers as (
    select distinct subscriptions.customer_id
    from {{ ref('fct_subscription') }} as subscriptions
    inner join {{ ref('int_core__as_of') }} as as_of on subscriptions.start_on <= as_of.as_of
    where not subscriptions.is_test
),

final as (
    select
        cast(customers.customer_id as string) as customer_id,
        cast(customers.first_channel as string) as acquisition_channel,
        cast(customers.known_from_on as date) as first_seen_on,
        cast(case when customers.registered_on <= as_of.as_of then customers.registered_on end as date) as registered_on,
        cast(coalesce(types.business_type, {{ setting_text('default_business_type') }}) as string) as business_type,
        cast(case
            when contracts.business_type is not null then 'contractual'
            when subscribers.customer_id is not null and buyers.customer_id is null then 'contractual'
            else 'noncontractual'
        end as string) as relationship_type
    from customers
    cross join {{ ref('int_core__as_of') }} as as_of
    left join types on customers.customer_id = types.customer_id
    left join contracts on types.business_type = contracts.business_type
    left join buyers on customers.customer_id = buyers.customer_id
    left join subscribers on customers.customer_id = subscribers.customer_id
    where coalesce(customers.known_from_on, as_of.as_of) <= as_of.as_of or buyers.customer_id is not null
)

select * from final
