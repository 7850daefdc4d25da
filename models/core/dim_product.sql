-- One row per product and version: what was known about it from one moment to the next.
-- A version without a start holds from the beginning. Before the first version a product has no cost.
with

versions as (
    select
        source_system,
        source_record_id,
        coalesce(valid_from, cast('1900-01-01 00:00:00' as timestamp)) as valid_from,
        name,
        category_l1,
        category_l2,
        category_l3,
        brand,
        unit_cost,
        upper(coalesce(cost_currency, {{ setting_text('reporting_currency') }})) as cost_currency,
        margin_rate,
        replenish_days,
        service_cycle_days,
        business_unit
    from {{ ref('unified_product') }}
    where not is_deleted
),

numbered as (
    select
        *,
        row_number() over (
            partition by source_system, source_record_id
            order by valid_from asc nulls first
        ) as version_number,
        lead(valid_from) over (
            partition by source_system, source_record_id
            order by valid_from asc nulls first
        ) as valid_to
    from versions
),

final as (
    select
        source_system || ':' || source_record_id as product_key,
        source_system,
        source_record_id as product_id,
        cast(version_number as bigint) as version_number,
        valid_from,
        valid_to,
        valid_to is null as is_current,
        name,
        category_l1,
        category_l2,
        category_l3,
        brand,
        {{ as_money('unit_cost') }} as unit_cost_amount,
        cost_currency,
        cast(margin_rate as decimal(9,6)) as margin_rate,
        cast(replenish_days as bigint) as replenish_days,
        cast(service_cycle_days as bigint) as service_cycle_days,
        business_unit
    from numbered
)

select * from final
