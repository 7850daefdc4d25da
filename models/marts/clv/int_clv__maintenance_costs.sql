-- One row per customer, day, source and kind of cost: what keeping customers has cost, the unknown customer included.
-- Benefits count when they are redeemed or burnt, commission when it is earned, both less what was reversed. The sign that a
-- ledger gives its entries differs between systems, so the entry kind alone decides.
with

touches as (
    select customer_id, touched_on, channel, unit_cost_amount from {{ ref('fct_touch') }}
    where unit_cost_amount is not null and not is_test
),

benefits as (
    select
        customer_id,
        entry_on,
        benefit_kind,
        case
            when entry_kind = 'reverse' then -abs(cash_value_amount)
            when benefit_kind = 'commission' and entry_kind = 'earn' then abs(cash_value_amount)
            when benefit_kind <> 'commission' and entry_kind in ('redeem', 'burn') then abs(cash_value_amount)
        end as cost_amount
    from {{ ref('fct_benefit') }}
    where not is_test
),

spend as (
    select customer_id, spend_on, cost_kind, cost_amount from {{ ref('fct_spend') }}
    where cost_kind in ('retention', 'service', 'maintenance') and cost_amount is not null and not is_test
),

costs as (
    select customer_id, touched_on as cost_on, 'touch' as cost_source, channel as cost_kind, unit_cost_amount as cost_amount
    from touches
    union all
    select customer_id, entry_on as cost_on, 'benefit' as cost_source, benefit_kind as cost_kind, cost_amount
    from benefits
    where cost_amount is not null
    union all
    select customer_id, spend_on as cost_on, 'spend' as cost_source, cost_kind, cost_amount from spend
),

final as (
    select
        cast(customer_id as string) as customer_id,
        cast(cost_on as date) as cost_on,
        cast(cost_source as string) as cost_source,
        cast(cost_kind as string) as cost_kind,
        cast(sum(cost_amount) as decimal(18,4)) as cost_amount
    from costs
    group by customer_id, cost_on, cost_source, cost_kind
)

select * from final
