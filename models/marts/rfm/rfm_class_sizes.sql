-- One row per as_of, class scheme and class: customers and money of the class, with 0 for a class that is empty.
with

customers as (
    select * from {{ ref('customer_rfm') }}
),

classes as (
    select * from {{ ref('rfm_class') }}
),

populations as (
    select as_of, count(*) as customer_count, sum(monetary_amount) as monetary_amount
    from customers
    group by as_of
),

members as (
    select as_of, 'chinese' as class_scheme, chinese_class as class_code, monetary_amount from customers
    union all
    select as_of, 'western' as class_scheme, western_class as class_code, monetary_amount from customers
),

sizes as (
    select as_of, class_scheme, class_code, count(*) as customer_count, sum(monetary_amount) as monetary_amount
    from members
    group by as_of, class_scheme, class_code
),

final as (
    select
        cast(populations.as_of as date) as as_of,
        cast(classes.class_scheme as string) as class_scheme,
        cast(classes.class_code as string) as class_code,
        cast(classes.display_order as bigint) as display_order,
        cast(classes.label_en as string) as label_en,
        cast(classes.label_zh as string) as label_zh,
        cast(coalesce(sizes.customer_count, 0) as bigint) as customer_count,
        {{ share('coalesce(sizes.customer_count, 0)', 'populations.customer_count') }} as customer_rate,
        cast(coalesce(sizes.monetary_amount, 0) as decimal(18,4)) as monetary_amount,
        {{ share('coalesce(sizes.monetary_amount, 0)', 'populations.monetary_amount') }} as monetary_rate,
        cast({{ setting_text('reporting_currency') }} as string) as currency
    from populations
    cross join classes
    left join sizes
        on
            populations.as_of = sizes.as_of
            and classes.class_scheme = sizes.class_scheme
            and classes.class_code = sizes.class_code
)

select * from final
