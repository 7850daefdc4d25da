-- One row per model, stage and month: what customers did while they were in the stage. A fact belongs to the stage of the day
-- before it, so that an order counts where it came from and not where it led. What nobody known did, and what a customer did
-- on the very first day, belongs to the stage in which everybody begins.
with

customers as (
    select customer_id, registered_on, not is_unknown and not is_anonymous as is_identified
    from {{ ref('dim_customer') }}
    where not is_test
),

facts as (
    select
        orders.customer_id,
        orders.ordered_on as day_on,
        1 as order_count,
        case when orders.is_rate_missing then 0 else 1 end as rated_order_count,
        orders.net_amount as net_sales_amount,
        case when customers.is_identified then orders.customer_id end as buyer_id,
        0 as registration_count,
        0 as view_count
    from {{ ref('fct_order') }} as orders
    inner join customers on orders.customer_id = customers.customer_id
    where orders.is_valid
    union all
    select
        customer_id,
        registered_on as day_on,
        0 as order_count,
        0 as rated_order_count,
        cast(0 as decimal(18, 4)) as net_sales_amount,
        cast(null as string) as buyer_id,
        1 as registration_count,
        0 as view_count
    from customers
    where registered_on is not null
    union all
    select
        customer_id,
        event_on as day_on,
        0 as order_count,
        0 as rated_order_count,
        cast(0 as decimal(18, 4)) as net_sales_amount,
        cast(null as string) as buyer_id,
        0 as registration_count,
        count(*) as view_count
    from {{ ref('fct_event') }}
    where event_name in ('page_view', 'content_view') and not is_bot and not is_test
    group by customer_id, event_on
),

models as (
    select distinct model_code from {{ ref('lifecycle_rule') }}
),

-- The open interval ends at the end of time, not at NULL: a join on "or ... is null" compares every fact with every interval.
intervals as (
    select
        customer_id, model_code, stage_code, valid_from, coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('customer_lifecycle_intervals') }}
),

placed as (
    select
        models.model_code,
        coalesce(intervals.stage_code, {{ lifecycle_entry_stage('models.model_code') }}) as stage_code,
        {{ month_of('facts.day_on') }} as month_on,
        facts.*
    from facts
    cross join models
    cross join {{ ref('int_core__as_of') }} as as_of
    left join intervals
        on
            facts.customer_id = intervals.customer_id
            and models.model_code = intervals.model_code
            and facts.day_on > intervals.valid_from
            and facts.day_on <= intervals.valid_to
    where facts.day_on <= as_of.as_of
),

final as (
    select
        model_code,
        stage_code,
        month_on,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(rated_order_count) as bigint) as rated_order_count,
        cast(coalesce(sum(net_sales_amount), 0) as decimal(18, 4)) as net_sales_amount,
        cast(count(distinct buyer_id) as bigint) as buyer_count,
        cast(sum(registration_count) as bigint) as registration_count,
        cast(sum(view_count) as bigint) as view_count
    from placed
    group by model_code, stage_code, month_on
)

select * from final
