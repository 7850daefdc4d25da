-- One row per customer, category and day from which the score counts from there: the score on that day, and share and rank, which
-- stay until the day before valid_to (NULL: still so on as_of), because between two signals all scores of a customer fall alike.
-- A signal is an event about a product, or an order with something of the category: one, however many pieces, and whatever it cost.
-- Gifts are no signal, and an order that is given back is none from that day on. The category is the one of the signal's moment.
{%- set half_life = affinity_half_life() %}
{%- set in_category = 'partition by customer_id, category order by counted_on nulls last' %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

signals as (
    {{ affinity_signals() }}
),

summed as (
    select signals.customer_id, signals.category, signals.counted_on, signals.happened_on, sum(signals.weight) as weight
    from signals
    cross join as_of
    where signals.counted_on <= as_of.as_of
    group by signals.customer_id, signals.category, signals.counted_on, signals.happened_on
),

-- Every weight is written as it would be on the customer's first day, so that one running sum serves all days.
dated as (
    select
        summed.*,
        min(happened_on) over (partition by customer_id) as first_on
    from summed
),

running as (
    select
        dated.*,
        sum(cast(weight as double) * power(2.0, {{ days_between('first_on', 'happened_on') }} / {{ half_life }})) over (
            partition by customer_id, category order by counted_on nulls last, happened_on nulls last
            rows between unbounded preceding and current row
        ) as level_sum
    from dated
),

told as (
    select
        customer_id, category, counted_on,
        min(first_on) as first_on,
        max_by(level_sum, happened_on) as level_sum,
        max(case when weight > 0 then happened_on end) as signal_on
    from running
    group by customer_id, category, counted_on
),

days as (
    select distinct customer_id, counted_on, first_on from told
),

categories as (
    select customer_id, category, min(counted_on) as begins_on
    from told
    group by customer_id, category
),

-- Every category of a customer on every day on which any of them has a signal, from its own first on.
spread as (
    select days.customer_id, categories.category, days.counted_on, days.first_on, told.level_sum, told.signal_on
    from days
    inner join categories on days.customer_id = categories.customer_id and days.counted_on >= categories.begins_on
    left join told
        on days.customer_id = told.customer_id and categories.category = told.category and days.counted_on = told.counted_on
),

known as (
    select
        customer_id,
        category,
        counted_on,
        first_on,
        {{ last_known('level_sum', in_category) }} as level_sum,
        {{ last_known('signal_on', in_category) }} as last_signal_on
    from spread
),

scored as (
    select
        known.*,
        cast(round(level_sum * power(0.5, {{ days_between('first_on', 'counted_on') }} / {{ half_life }}), 9) as decimal(28,9)) as score,
        lead(counted_on) over ({{ in_category }}) as valid_to
    from known
),

final as (
    select
        scored.customer_id,
        scored.category,
        scored.counted_on as valid_from,
        scored.valid_to,
        cast(scored.score as decimal(18,6)) as affinity_score,
        {{ share('scored.score', 'sum(scored.score) over (partition by scored.customer_id, scored.counted_on)') }} as affinity_rate,
        cast(row_number() over (
            partition by scored.customer_id, scored.counted_on
            order by scored.score desc nulls last, scored.last_signal_on desc nulls last, scored.category asc nulls last
        ) as bigint) as affinity_rank,
        scored.last_signal_on,
        case when scored.valid_to is null then cast(round(
            cast(scored.score as double) * power(0.5, {{ days_between('scored.counted_on', 'as_of.as_of') }} / {{ half_life }}), 6
        ) as decimal(18,6)) end as latest_score,
        cast({{ half_life }} as bigint) as half_life_days
    from scored
    cross join as_of
    where scored.score >= 0.000001
)

select * from final
