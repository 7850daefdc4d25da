-- What the customers carry and the residual are the acquisition spend up to as_of, to the last digit.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

amounts as (
    select spend.cost_amount as amount
    from {{ ref('fct_spend') }} as spend
    inner join as_of on spend.spend_on <= as_of.as_of
    where spend.cost_kind = 'acquisition'
    union all
    select -clv.cac_amount as amount
    from {{ ref('customer_clv') }} as clv
    inner join as_of on clv.as_of = as_of.as_of
    union all
    select -residual_amount as amount from {{ ref('acquisition_cost_monthly') }}
)

select sum(amount) as difference from amounts
having sum(amount) <> 0
