-- What the customers carry and the residual are the cost of keeping customers up to as_of, to the last digit.
with

amounts as (
    select cost_amount - residual_amount as amount from {{ ref('maintenance_cost_monthly') }}
    union all
    select -clv.maintenance_amount as amount
    from {{ ref('customer_clv') }} as clv
    inner join {{ ref('int_core__as_of') }} as as_of on clv.as_of = as_of.as_of
)

select sum(amount) as difference from amounts
having sum(amount) <> 0
