-- One row per day, dimension and cut number: the type-7 quantiles at .2, .4, .6 and .8.
-- Frequency and money are ranked among the customers with an order in the window only: ranked together with lapsed buyers,
-- most one-time buyers would come out as champions. Type 7 puts cut k at position (n - 1) k / 5 of the sorted values, which
-- is a whole rank and some fifths, so the interpolation is exact in decimals and the same on every engine.
with

customer_values as (
    select day_on, recency_days, frequency, monetary_amount from {{ ref('int_rfm__customer_values') }}
),

value_counts as (
    select day_on, 'recency' as dimension, cast(recency_days as decimal(18,4)) as cut_basis, count(*) as customers
    from customer_values
    group by day_on, recency_days
    union all
    select day_on, 'frequency' as dimension, cast(frequency as decimal(18,4)) as cut_basis, count(*) as customers
    from customer_values
    where frequency > 0
    group by day_on, frequency
    union all
    select day_on, 'monetary' as dimension, monetary_amount as cut_basis, count(*) as customers
    from customer_values
    where frequency > 0
    group by day_on, monetary_amount
),

-- Equal values share one row that spans their ranks, so nothing depends on the order of ties.
ranked as (
    select
        day_on,
        dimension,
        cut_basis,
        customers,
        sum(customers) over (
            partition by day_on, dimension order by cut_basis asc nulls last rows between unbounded preceding and current row
        ) as last_rank
    from value_counts
),

populations as (
    select day_on, dimension, cast(sum(customers) as bigint) as ranked_customers
    from value_counts
    group by day_on, dimension
),

positions as (
    select
        populations.day_on,
        populations.dimension,
        populations.ranked_customers,
        cuts.cut_number,
        cast(floor((populations.ranked_customers - 1) * cuts.cut_number / 5.0) as bigint) + 1 as lower_rank,
        cast((populations.ranked_customers - 1) * cuts.cut_number % 5 as bigint) as fifths
    from populations
    cross join (values (1), (2), (3), (4)) as cuts (cut_number)
),

bounds as (
    select
        positions.day_on,
        positions.dimension,
        positions.cut_number,
        positions.ranked_customers,
        positions.fifths,
        max(case when ranked.last_rank - ranked.customers < positions.lower_rank then ranked.cut_basis end) as lower_value,
        max(ranked.cut_basis) as upper_value
    from positions
    inner join ranked
        on
            positions.day_on = ranked.day_on
            and positions.dimension = ranked.dimension
            and positions.lower_rank <= ranked.last_rank
            and least(positions.lower_rank + 1, positions.ranked_customers) > ranked.last_rank - ranked.customers
    group by
        positions.day_on, positions.dimension, positions.cut_number, positions.ranked_customers, positions.fifths
),

final as (
    select
        cast(day_on as date) as day_on,
        cast(dimension as string) as dimension,
        cast(cut_number as bigint) as cut_number,
        cast(
            lower_value * cast((5 - fifths) * 0.2 as decimal(2,1)) + upper_value * cast(fifths * 0.2 as decimal(2,1))
            as decimal(20,6)
        ) as cut_value,
        cast(ranked_customers as bigint) as ranked_customer_count
    from bounds
)

select * from final
