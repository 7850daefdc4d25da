-- One row per month, source and kind of cost up to as_of: what keeping customers cost, and the part that no customer carries.
-- The residual is spend that names no account, and what fell to customers who are not counted (unknown, anonymous, test).
with

days as (
    select as_of from {{ ref('int_calendar__stored_days') }}
    where is_latest
),

costs as (
    select * from {{ ref('int_clv__maintenance_costs') }}
),

counted_customers as (
    select clv.customer_id
    from {{ ref('int_clv__customer_values') }} as clv
    inner join days on clv.as_of = days.as_of
),

totals as (
    select
        {{ month_of('costs.cost_on') }} as month_on,
        costs.cost_source,
        costs.cost_kind,
        days.as_of,
        sum(costs.cost_amount) as cost_amount,
        sum(costs.cost_amount) filter (where counted_customers.customer_id is not null) as customer_cost_amount
    from costs
    inner join days on costs.cost_on <= days.as_of
    left join counted_customers on costs.customer_id = counted_customers.customer_id
    group by {{ month_of('costs.cost_on') }}, costs.cost_source, costs.cost_kind, days.as_of
),

final as (
    select
        cast(month_on as date) as month_on,
        cast(cost_source as string) as cost_source,
        cast(cost_kind as string) as cost_kind,
        cast(as_of as date) as as_of,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(cost_amount as decimal(18,4)) as cost_amount,
        cast(coalesce(customer_cost_amount, 0) as decimal(18,4)) as customer_cost_amount,
        cast(cost_amount - coalesce(customer_cost_amount, 0) as decimal(18,4)) as residual_amount
    from totals
)

select * from final
