-- Nobody who ever bought is lost on the way from values to classes, for instance because a seed lacks a class; and of every class on
-- every day as many customers leave for some class, or come from some class, as are in it.
with

unclassed as (
    select buyers.customer_id as subject, buyers.day_on, 1 as expected_count, 0 as found_count
    from {{ ref('int_rfm__customer_values') }} as buyers
    inner join {{ ref('int_calendar__stored_days') }} as days on buyers.day_on = days.as_of
    left join {{ ref('customer_rfm') }} as classes
        on
            buyers.customer_id = classes.customer_id
            and buyers.day_on = classes.as_of
    where classes.customer_id is null
),

days as (
    select
        as_of,
        lag(as_of) over (order by as_of nulls last) as from_on,
        lead(as_of) over (order by as_of nulls last) as to_on
    from {{ ref('int_calendar__stored_days') }}
),

moved as (
    select class_scheme, from_class as class_code, from_on as day_on, 'left' as direction, customer_count
    from {{ ref('rfm_movement_monthly') }}
    union all
    select class_scheme, to_class as class_code, as_of as day_on, 'came' as direction, customer_count
    from {{ ref('rfm_movement_monthly') }}
),

moved_heads as (
    select class_scheme, class_code, day_on, direction, sum(customer_count) as customer_count
    from moved
    group by class_scheme, class_code, day_on, direction
),

expected_heads as (
    select sizes.class_scheme, sizes.class_code, sizes.as_of as day_on, directions.direction, sizes.customer_count
    from {{ ref('rfm_class_sizes') }} as sizes
    inner join days on sizes.as_of = days.as_of
    inner join (values ('left'), ('came')) as directions (direction)
        on case directions.direction when 'left' then days.to_on else days.from_on end is not null
)

select subject, day_on, expected_count, found_count from unclassed
union all
select
    expected_heads.class_scheme || ' ' || expected_heads.class_code || ' ' || expected_heads.direction as subject,
    expected_heads.day_on,
    expected_heads.customer_count as expected_count,
    coalesce(moved_heads.customer_count, 0) as found_count
from expected_heads
left join moved_heads
    on
        expected_heads.class_scheme = moved_heads.class_scheme
        and expected_heads.class_code = moved_heads.class_code
        and expected_heads.day_on = moved_heads.day_on
        and expected_heads.direction = moved_heads.direction
where expected_heads.customer_count <> coalesce(moved_heads.customer_count, 0)
