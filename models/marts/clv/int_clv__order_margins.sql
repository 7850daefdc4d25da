-- One row per order with lines: the margin of its lines, and how much of what was paid for them has a known cost.
{%- set cost_sources = ['line', 'product', 'category', 'default'] %}
with

order_lines as (
    select order_key, line_paid_amount, margin_amount, margin_source from {{ ref('fct_order_line') }}
    where order_key is not null
),

totals as (
    select
        order_key,
        sum(margin_amount) as margin_amount,
        sum(line_paid_amount) as line_paid_amount,
        {% for source in cost_sources -%}
        sum(line_paid_amount) filter (where margin_source = '{{ source }}') as paid_with_{{ source }}_cost{{ ',' if not loop.last }}
        {% endfor %}
    from order_lines
    group by order_key
),

final as (
    select
        cast(order_key as string) as order_key,
        {{ as_money('margin_amount') }} as margin_amount,
        {{ as_money('line_paid_amount') }} as line_paid_amount,
        {% for source in cost_sources -%}
        {{ as_money('coalesce(paid_with_' ~ source ~ '_cost, 0)') }} as {{ source }}_cost_paid_amount{{ ',' if not loop.last }}
        {% endfor %}
    from totals
)

select * from final
