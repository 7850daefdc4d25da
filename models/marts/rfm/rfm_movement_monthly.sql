-- One row per stored day, class scheme and pair of classes in which somebody was: how many customers of the first class on the stored
-- day before are in the second one on this day. not_a_buyer stands for who had not bought by then, or whose orders were all given back.
with

stored_days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
),

members as (
    select customer_id, as_of, monetary_amount, 'chinese' as class_scheme, chinese_class as class_code from {{ ref('customer_rfm') }}
    union all
    select customer_id, as_of, monetary_amount, 'western' as class_scheme, western_class as class_code from {{ ref('customer_rfm') }}
),

days as (
    select
        as_of,
        lag(as_of) over (order by as_of nulls last) as from_on
    from stored_days
),

-- Both ends of every move in one row; an end at which the customer was no buyer is empty.
ends as (
    select
        days.as_of,
        members.class_scheme,
        members.customer_id,
        members.class_code as to_class,
        members.monetary_amount as to_amount,
        cast(null as string) as from_class,
        cast(null as decimal(18,4)) as from_amount
    from members
    inner join days on members.as_of = days.as_of
    where days.from_on is not null
    union all
    select
        days.as_of,
        members.class_scheme,
        members.customer_id,
        cast(null as string) as to_class,
        cast(null as decimal(18,4)) as to_amount,
        members.class_code as from_class,
        members.monetary_amount as from_amount
    from members
    inner join days on members.as_of = days.from_on
),

moves as (
    select
        as_of,
        class_scheme,
        customer_id,
        coalesce(max(from_class), 'not_a_buyer') as from_class,
        coalesce(max(to_class), 'not_a_buyer') as to_class,
        coalesce(max(from_amount), 0) as from_amount,
        coalesce(max(to_amount), 0) as to_amount
    from ends
    group by as_of, class_scheme, customer_id
),

counted as (
    select
        as_of,
        class_scheme,
        from_class,
        to_class,
        count(*) as customer_count,
        sum(from_amount) as from_amount,
        sum(to_amount) as to_amount
    from moves
    group by as_of, class_scheme, from_class, to_class
),

final as (
    select
        cast(days.from_on as date) as from_on,
        cast(counted.as_of as date) as as_of,
        cast(counted.class_scheme as string) as class_scheme,
        cast(counted.from_class as string) as from_class,
        cast(counted.to_class as string) as to_class,
        cast(counted.customer_count as bigint) as customer_count,
        {{ share(
            'counted.customer_count',
            'sum(counted.customer_count) over (partition by counted.as_of, counted.class_scheme, counted.from_class)'
        ) }} as customer_rate,
        cast(counted.from_amount as decimal(18,4)) as from_monetary_amount,
        cast(counted.to_amount as decimal(18,4)) as to_monetary_amount,
        cast({{ setting_text('reporting_currency') }} as string) as currency
    from counted
    inner join days on counted.as_of = days.as_of
)

select * from final
