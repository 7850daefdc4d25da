-- One row per order with lines: the margin of its lines, and how much of what was paid for them has a known cost.
with

order_lines as (
    select order_key, line_paid_amount, margin_amount, margin_source from {{ ref('fct_order_line') }}
    where order_key is not null
),

final as (
    select
        cast(order_key as string) as order_key,
        cast(sum(margin_amount) as decimal(18,4)) as margin_amount,
        cast(sum(line_paid_amount) as decimal(18,4)) as line_paid_amount,
        {% for source in ['line', 'product', 'category', 'default'] -%}
        cast(coalesce(sum(line_paid_amount) filter (where margin_source = '{{ source }}'), 0) as decimal(18,4))
            as {{ source }}_cost_paid_amount{{ ',' if not loop.last }}
        {% endfor %}
    from order_lines
    group by order_key
)

select * from final
