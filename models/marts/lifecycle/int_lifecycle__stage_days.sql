-- One row per model, stage, loss, anonymity and day on which somebody joins or leaves that group: by how many it grows. Summed
-- up to a day this counts the customers of a stage on that day without looking at every customer on every day.
with

intervals as (
    select
        intervals.model_code,
        intervals.stage_code,
        intervals.is_lost,
        customers.is_anonymous,
        intervals.valid_from,
        intervals.valid_to
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    inner join {{ ref('dim_customer') }} as customers on intervals.customer_id = customers.customer_id
),

changes as (
    select
        model_code,
        stage_code,
        is_lost,
        is_anonymous,
        valid_from as day_on,
        1 as customer_change
    from intervals
    union all
    select
        model_code,
        stage_code,
        is_lost,
        is_anonymous,
        valid_to as day_on,
        -1 as customer_change
    from intervals
    where valid_to is not null
),

final as (
    select
        model_code,
        stage_code,
        is_lost,
        is_anonymous,
        day_on,
        cast(sum(customer_change) as bigint) as customer_change
    from changes
    group by model_code, stage_code, is_lost, is_anonymous, day_on
)

select * from final
