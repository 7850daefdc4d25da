-- One row per customer with a cost on or before as_of: acquisition and maintenance cost, on a second path.
-- Only for clv_identity_check: it goes from the spend rows to the first orders that core marks, not through cells.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

spend as (
    select spend.customer_id, spend.cost_kind, spend.channel_code, spend.campaign_key, spend.spend_on, spend.cost_amount
    from {{ ref('fct_spend') }} as spend
    inner join as_of on spend.spend_on <= as_of.as_of
    where not spend.is_test
),

first_orders as (
    select
        orders.customer_id,
        customers.first_channel,
        customers.first_campaign,
        {{ month_of('orders.ordered_on') }} as month_on,
        count(*) over (
            partition by customers.first_channel, customers.first_campaign, {{ month_of('orders.ordered_on') }}
        ) as sharers
    from {{ ref('fct_order') }} as orders
    inner join {{ ref('dim_customer') }} as customers on orders.customer_id = customers.customer_id
    where
        orders.is_first_order
        and not customers.is_unknown
        and not customers.is_anonymous
        and not customers.is_test
),

acquisition as (
    select first_orders.customer_id, cast(sum(spend.cost_amount) as double) / nullif(first_orders.sharers, 0) as cost_amount
    from first_orders
    inner join spend
        on
            first_orders.first_channel = spend.channel_code
            and coalesce(first_orders.first_campaign, '') = coalesce(spend.campaign_key, '')
            and first_orders.month_on = {{ month_of('spend.spend_on') }}
    where spend.cost_kind = 'acquisition'
    group by first_orders.customer_id, first_orders.sharers
),

touches as (
    select touches.customer_id, sum(touches.unit_cost_amount) as cost_amount
    from {{ ref('fct_touch') }} as touches
    inner join as_of on touches.touched_on <= as_of.as_of
    where not touches.is_test
    group by touches.customer_id
),

benefits as (
    select
        benefits.customer_id,
        sum(abs(benefits.cash_value_amount) * case when benefits.entry_kind = 'reverse' then -1 else 1 end) as cost_amount
    from {{ ref('fct_benefit') }} as benefits
    inner join as_of on benefits.entry_on <= as_of.as_of
    where
        not benefits.is_test
        and (
            benefits.entry_kind = 'reverse'
            or (benefits.benefit_kind = 'commission' and benefits.entry_kind = 'earn')
            or (benefits.benefit_kind <> 'commission' and benefits.entry_kind in ('redeem', 'burn'))
        )
    group by benefits.customer_id
),

retention as (
    select customer_id, sum(cost_amount) as cost_amount
    from spend
    where cost_kind in ('retention', 'service', 'maintenance')
    group by customer_id
),

costs as (
    select customer_id, cost_amount as acquisition_cost, cast(0 as decimal(18,4)) as maintenance_cost from acquisition
    union all
    select customer_id, 0 as acquisition_cost, cost_amount as maintenance_cost from touches
    union all
    select customer_id, 0 as acquisition_cost, cost_amount as maintenance_cost from benefits
    union all
    select customer_id, 0 as acquisition_cost, cost_amount as maintenance_cost from retention
),

final as (
    select
        cast(customer_id as string) as customer_id,
        cast(sum(cast(round(acquisition_cost, 9) as decimal(28,9))) as decimal(18,4)) as acquisition_amount,
        cast(sum(maintenance_cost) as decimal(18,4)) as maintenance_amount
    from costs
    group by customer_id
)

select * from final
