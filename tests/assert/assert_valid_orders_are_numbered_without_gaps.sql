-- The valid orders of every known customer are numbered 1, 2, 3 and so on, and exactly one of them is the first.
select
    customer_id,
    count(*) as order_count,
    max(order_sequence) as highest_number,
    count(distinct order_sequence) as number_count,
    sum(case when is_first_order then 1 else 0 end) as first_count
from {{ ref('fct_order') }}
where is_valid and customer_id <> '-1'
group by customer_id
having
    max(order_sequence) <> count(*)
    or count(distinct order_sequence) <> count(*)
    or sum(case when is_first_order then 1 else 0 end) <> 1
