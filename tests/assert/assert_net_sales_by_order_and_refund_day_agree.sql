-- Over all months the two net sales differ by the two published lines and by nothing else.
select sum(net_sales_by_order_day_amount - orderless_refund_amount - excess_refund_amount - net_sales_by_refund_day_amount) as difference
from {{ ref('sales_monthly') }}
having
    sum(net_sales_by_order_day_amount - orderless_refund_amount - excess_refund_amount - net_sales_by_refund_day_amount) <> 0
