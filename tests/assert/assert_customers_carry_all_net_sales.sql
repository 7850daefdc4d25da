-- All customers together, the unknown one included, carry the brand's net sales by order day less the refunds without an order.
with

amounts as (
    select sales.net_sales_amount as amount
    from {{ ref('int_clv__customer_sales') }} as sales
    inner join {{ ref('int_core__as_of') }} as as_of on sales.as_of = as_of.as_of
    union all
    select orderless_refund_amount - net_sales_by_order_day_amount as amount from {{ ref('sales_monthly') }}
)

select sum(amount) as difference from amounts
having sum(amount) <> 0
