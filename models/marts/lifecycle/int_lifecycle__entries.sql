-- One row per identified customer and way in (registration, first purchase) that happened by as_of, with what came after it.
-- Days are counted from the day of entry. Active is an event that counts as activity or an order placed, on a later day.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id, registered_on from {{ ref('dim_customer') }}
    where not is_unknown and not is_anonymous and not is_test
),

-- Orders of one day are one purchase.
purchase_days as (
    select
        customer_id,
        ordered_on,
        row_number() over (partition by customer_id order by ordered_on asc nulls last) as purchase_number
    from (select distinct customer_id, ordered_on from {{ ref('int_sales__order_results') }} where is_buyer_order) as days
),

purchases as (
    select
        customer_id,
        min(ordered_on) as first_order_on,
        max(case when purchase_number = 2 then ordered_on end) as second_order_on
    from purchase_days
    where purchase_number <= 2
    group by customer_id
),

entries as (
    select
        customers.customer_id,
        ways.entry_event,
        case when ways.entry_event = 'registration' then customers.registered_on else purchases.first_order_on end as entry_on,
        purchases.first_order_on,
        purchases.second_order_on
    from customers
    cross join (values ('registration'), ('first_purchase')) as ways (entry_event)
    left join purchases on customers.customer_id = purchases.customer_id
),

entered as (
    select entries.*, as_of.as_of
    from entries
    inner join as_of on entries.entry_on <= as_of.as_of
),

later_days as (
    select
        entered.customer_id,
        entered.entry_event,
        {{ days_between('entered.entry_on', 'days.day_on') }} as age_days
    from entered
    inner join {{ ref('fct_customer_day') }} as days
        on entered.customer_id = days.customer_id and entered.entry_on < days.day_on and entered.as_of >= days.day_on
    where days.is_active
),

returns as (
    select
        customer_id,
        entry_event,
        max(case when age_days = 1 then 1 else 0 end) as is_active_d1,
        max(case when age_days = 7 then 1 else 0 end) as is_active_d7,
        max(case when age_days = 14 then 1 else 0 end) as is_active_d14,
        max(case when age_days = 30 then 1 else 0 end) as is_active_d30
    from later_days
    group by customer_id, entry_event
),

final as (
    select
        cast(entered.customer_id as string) as customer_id,
        cast(entered.entry_event as string) as entry_event,
        cast(entered.entry_on as date) as entry_on,
        cast({{ days_between('entered.entry_on', 'entered.first_order_on') }} as bigint) as first_order_days,
        cast({{ days_between('entered.first_order_on', 'entered.second_order_on') }} as bigint) as second_order_days,
    {%- for name in ['d1', 'd7', 'd14', 'd30'] %}
    cast(coalesce(returns.is_active_{{ name }}, 0) as bigint) as is_active_{{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    from entered
    left join returns on entered.customer_id = returns.customer_id and entered.entry_event = returns.entry_event
)

select * from final
