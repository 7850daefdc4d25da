-- One row per stored day but the first (month ends, and as_of): what changed the value of all buyers since the stored day before.
-- Value is their gross profit so far = customers x years each x orders a year x order value x margin, so the change of its
-- logarithm is the sum of theirs; the logarithmic mean of both values turns each into money (LMDI). Where a value is not above
-- zero there is no logarithm: then margin takes half of each end (the midpoint), and the others share net sales. From or to no
-- customers at all the whole change is theirs. Rounding goes to customers, so that the parts sum exactly.
{%- set factors = ['customers', 'lifespan', 'frequency', 'order_value', 'margin'] %}
with

totals as (
    select
        as_of,
        max(currency) as currency,
        cast(count(*) as double) as customers,
        cast(sum(years_observed) as double) / nullif(count(*), 0) as lifespan,
        sum(order_count) / nullif(cast(sum(years_observed) as double), 0) as frequency,
        cast(sum(net_sales_amount) as double) / nullif(sum(order_count), 0) as order_value,
        cast(sum(gross_profit_lifetime) as double) / nullif(cast(sum(net_sales_amount) as double), 0) as margin,
        sum(net_sales_amount) as net_sales_amount,
        sum(gross_profit_lifetime) as value_amount
    from {{ ref('int_clv__customer_values') }}
    where order_count > 0
    group by as_of
),

days as (
    select days.as_of, lag(days.as_of) over (order by days.as_of asc nulls last) as previous_on
    from {{ ref('int_calendar__stored_days') }} as days
),

pairs as (
    select
        days.as_of,
        days.previous_on,
        {% for column in factors + ['net_sales_amount', 'value_amount'] -%}
        coalesce(now.{{ column }}, case when now.as_of is null then 0 end) as {{ column }},
        coalesce(before.{{ column }}, case when before.as_of is null then 0 end) as previous_{{ column }},
        {% endfor -%}
        coalesce(now.currency, before.currency) as currency
    from days
    left join totals as now on days.as_of = now.as_of
    left join totals as before on days.previous_on = before.as_of
    where days.previous_on is not null and (now.as_of is not null or before.as_of is not null)
),

judged as (
    select
        *,
        value_amount - previous_value_amount as change_amount,
        case
            when value_amount is null or previous_value_amount is null then 'unknown_cost'
            when customers = 0 or previous_customers = 0 then 'all_customers'
            when net_sales_amount > 0 and previous_net_sales_amount > 0 and value_amount > 0 and previous_value_amount > 0 then 'lmdi'
            when net_sales_amount > 0 and previous_net_sales_amount > 0 then 'midpoint'
            else 'undefined'
        end as method
    from pairs
),

-- What one logarithm is worth: the logarithmic mean of the values, or that of net sales times the middle margin.
weighed as (
    select
        *,
        case
            when method = 'lmdi' and value_amount = previous_value_amount then cast(value_amount as double)
            when method = 'lmdi'
                then
                    cast(value_amount - previous_value_amount as double)
                    / nullif(ln(cast(value_amount as double) / nullif(cast(previous_value_amount as double), 0)), 0)
        end as value_weight,
        case
            when method = 'midpoint' and net_sales_amount = previous_net_sales_amount then cast(net_sales_amount as double)
            when method = 'midpoint'
                then
                    cast(net_sales_amount - previous_net_sales_amount as double)
                    / nullif(ln(cast(net_sales_amount as double) / nullif(cast(previous_net_sales_amount as double), 0)), 0)
        end as sales_weight
    from judged
),

parts as (
    select
        *,
        {% for factor in factors[1:4] -%}
        case
            when method = 'lmdi' then value_weight * ln({{ factor }} / nullif(previous_{{ factor }}, 0))
            when method = 'midpoint'
                then sales_weight * ln({{ factor }} / nullif(previous_{{ factor }}, 0)) * (margin + previous_margin) / 2
            when method = 'all_customers' then 0
        end as {{ factor }}_part,
        {% endfor -%}
        case
            when method = 'lmdi' then value_weight * ln(margin / nullif(previous_margin, 0))
            when method = 'midpoint'
                then cast(net_sales_amount + previous_net_sales_amount as double) / 2 * (margin - previous_margin)
            when method = 'all_customers' then 0
        end as margin_part
    from weighed
),

rounded as (
    select
        {% for factor in factors[1:] -%}
        {{ as_money('round(' ~ factor ~ '_part, 4)') }} as {{ factor }}_amount,
        {% endfor -%}
        as_of,
        previous_on,
        currency,
        previous_value_amount,
        value_amount,
        change_amount,
        method
    from parts
),

final as (
    select
        cast(as_of as date) as as_of,
        cast(previous_on as date) as previous_on,
        cast(currency as string) as currency,
        {{ as_money('previous_value_amount') }} as previous_value_amount,
        {{ as_money('value_amount') }} as value_amount,
        {{ as_money('change_amount') }} as change_amount,
        {{ as_money('change_amount - lifespan_amount - frequency_amount - order_value_amount - margin_amount') }} as customers_amount,
        lifespan_amount,
        frequency_amount,
        order_value_amount,
        margin_amount,
        cast(method as string) as method
    from rounded
)

select * from final
