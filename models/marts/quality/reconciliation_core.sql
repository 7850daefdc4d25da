-- One row per entity, source system, day, measure and disposition: where what was loaded stands in core.
-- Dispositions: counted, deleted (by the source), or the reason for which core leaves the record out of sales. Money is in the
-- currency of the record, so that no rate can hide a difference. Loaded = the sum over dispositions, or publishing stops.
with

loaded as (
    select
        'order_header' as entity, source_system, {{ local_day('ordered_at') }} as day_on, paid_amount as amount, is_deleted
    from {{ ref('unified_order_header') }}
    union all
    select 'refund' as entity, source_system, {{ local_day('refunded_at') }} as day_on, amount, is_deleted
    from {{ ref('unified_refund') }}
    union all
    select 'spend' as entity, source_system, spend_date as day_on, cost as amount, is_deleted
    from {{ ref('unified_spend') }}
    union all
    select 'order_line' as entity, source_system, cast(null as date) as day_on, cast(null as decimal(18,4)) as amount, is_deleted
    from {{ ref('unified_order_line') }}
),

placed as (
    select
        'order_header' as entity, source_system, ordered_on as day_on, original_paid_amount as amount,
        coalesce(exclusion_reason, 'counted') as disposition
    from {{ ref('fct_order') }}
    union all
    select
        'refund' as entity, source_system, refunded_on as day_on, original_amount as amount,
        case when is_counted then 'counted' else coalesce(exclusion_reason, 'unexplained') end as disposition
    from {{ ref('fct_refund') }}
    union all
    select
        'spend' as entity, source_system, spend_on as day_on, original_cost_amount as amount,
        case when is_test then 'test' else 'counted' end as disposition
    from {{ ref('fct_spend') }}
    union all
    select
        'order_line' as entity, source_system, cast(null as date) as day_on, cast(null as decimal(18,4)) as amount,
        case when is_orphan then 'orphan' else 'counted' end as disposition
    from {{ ref('fct_order_line') }}
    union all
    select entity, source_system, day_on, amount, 'deleted' as disposition from loaded where is_deleted
),

loaded_sums as (
    select entity, source_system, day_on, count(*) as records, sum(amount) as amount
    from loaded
    group by entity, source_system, day_on
),

placed_sums as (
    select entity, source_system, day_on, disposition, count(*) as records, sum(amount) as amount
    from placed
    group by entity, source_system, day_on, disposition
),

-- A group on one side only shows as a difference too.
compared as (
    select
        coalesce(p.entity, l.entity) as entity,
        coalesce(p.source_system, l.source_system) as source_system,
        coalesce(p.day_on, l.day_on) as day_on,
        coalesce(p.disposition, 'lost') as disposition,
        l.records as loaded_records,
        l.amount as loaded_amount,
        coalesce(p.records, 0) as placed_records,
        coalesce(p.amount, 0) as placed_amount
    from placed_sums as p
    full join loaded_sums as l
        on
            l.entity = p.entity
            and l.source_system = p.source_system
            and l.day_on is not distinct from p.day_on
),

final as (
    select
        cast(entity as string) as entity,
        cast(source_system as string) as source_system,
        cast(day_on as date) as day_on,
        cast(disposition as string) as disposition,
        cast(placed_records as bigint) as placed_records,
        cast(placed_amount as decimal(18,4)) as placed_amount,
        cast(coalesce(loaded_records, 0) - sum(placed_records) over (partition by entity, source_system, day_on) as bigint)
            as difference_records,
        cast(coalesce(loaded_amount, 0) - sum(placed_amount) over (partition by entity, source_system, day_on) as decimal(18,4))
            as difference_amount
    from compared
)

select * from final
