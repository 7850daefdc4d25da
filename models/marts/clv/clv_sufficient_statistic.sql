-- One row per stored day, kind of relationship, repeat order days, recency age and tenure: how many buyers share them.
-- All that models of orders need of a customer; rows are far fewer than customers, and the count is their weight in a fit.
with

buyers as (
    select as_of, customer_id, frequency, recency_age_days, tenure_days, order_count, net_sales_amount
    from {{ ref('int_clv__customer_values') }}
    where order_count > 0
),

relationships as (
    select customer_id, relationship_type from {{ ref('int_clv__prospects') }}
),

final as (
    select
        cast(buyers.as_of as date) as as_of,
        cast(coalesce(relationships.relationship_type, 'noncontractual') as string) as relationship_type,
        cast(buyers.frequency as bigint) as frequency,
        cast(buyers.recency_age_days as bigint) as recency_age_days,
        cast(buyers.tenure_days as bigint) as tenure_days,
        cast(count(*) as bigint) as customer_count,
        cast(sum(buyers.order_count) as bigint) as order_count,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        {{ as_money('sum(buyers.net_sales_amount)') }} as net_sales_amount
    from buyers
    left join relationships on buyers.customer_id = relationships.customer_id
    group by
        buyers.as_of,
        coalesce(relationships.relationship_type, 'noncontractual'),
        buyers.frequency,
        buyers.recency_age_days,
        buyers.tenure_days
)

select * from final
