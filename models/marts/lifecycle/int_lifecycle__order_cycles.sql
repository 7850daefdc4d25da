-- One row per order: the category and the service cycle of the product that it mainly brought, and after how many days
-- customers of that category usually buy in it again, as it was known at the month end before the order.
with

orders as (
    select
        orders.order_key,
        customers.customer_number,
        orders.ordered_on,
        orders.valid_from_on
    from {{ ref('fct_order') }} as orders
    inner join {{ ref('int_lifecycle__customers') }} as customers on orders.customer_id = customers.customer_id
    where orders.valid_from_on <= (select as_of from {{ ref('int_core__as_of') }})
),

lines as (
    select
        orders.order_key,
        orders.customer_number,
        orders.ordered_on,
        orders.valid_from_on,
        coalesce(products.category_l2, products.category_l1) as category,
        products.service_cycle_days,
        row_number() over (
            partition by orders.order_key order by lines.line_paid_amount desc nulls last, lines.order_line_key asc nulls last
        ) as place
    from orders
    inner join {{ ref('fct_order_line') }} as lines on orders.order_key = lines.order_key
    left join {{ ref('dim_product') }} as products
        on lines.product_key = products.product_key and lines.product_version_number = products.version_number
),

-- A purchase counts from the day from which the order does; that it was given back later does not undo the habit.
purchases as (
    select distinct customer_number, category, valid_from_on from lines where category is not null
),

gaps as (
    select
        category,
        valid_from_on,
        {{ days_between(
            'lag(valid_from_on) over (partition by customer_number, category order by valid_from_on nulls last)', 'valid_from_on'
        ) }} as gap_days
    from purchases
),

months as (
    select
        category,
        last_day(valid_from_on) as scored_on,
        gap_days,
        count(*) as gap_count
    from gaps
    where gap_days is not null
    group by category, last_day(valid_from_on), gap_days
),

scoring_days as (
    select
        category,
        scored_on,
        lead(scored_on) over (partition by category order by scored_on nulls last) as next_scored_on
    from (select distinct category, scored_on from months) as scored
),

totals as (
    select
        scoring_days.category,
        scoring_days.scored_on,
        months.gap_days,
        sum(months.gap_count) as gap_count
    from scoring_days
    inner join months on scoring_days.category = months.category and scoring_days.scored_on >= months.scored_on
    group by scoring_days.category, scoring_days.scored_on, months.gap_days
),

cumulated as (
    select
        totals.*,
        sum(gap_count) over (
            partition by category, scored_on order by gap_days nulls last rows between unbounded preceding and current row
        ) as so_far,
        sum(gap_count) over (partition by category, scored_on) as total
    from totals
),

-- Counted gaps instead of a median over each of them: months hold the same few lengths.
medians as (
    select
        cumulated.category,
        cumulated.scored_on,
        coalesce(scoring_days.next_scored_on, cast('9999-12-31' as date)) as next_scored_on,
        min(case when 2 * so_far >= total then gap_days end) + min(case when 2 * so_far > total then gap_days end) as twice_median
    from cumulated
    inner join scoring_days on cumulated.category = scoring_days.category and cumulated.scored_on = scoring_days.scored_on
    group by cumulated.category, cumulated.scored_on, scoring_days.next_scored_on
),

final as (
    select
        lines.order_key,
        lines.category,
        lines.service_cycle_days,
        cast(medians.twice_median * 0.5 as decimal(9, 1)) as category_gap_days
    from lines
    left join medians
        on
            lines.category = medians.category
            and lines.ordered_on >= medians.scored_on
            and lines.ordered_on < medians.next_scored_on
    where lines.place = 1
)

select * from final
