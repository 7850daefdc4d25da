-- One row per run, measure and value of its dimension: how well identifiers were joined to customers, run after run.
-- A past run cannot be computed again, so its rows stay, also through a full refresh. A run is told apart by what it found: while the
-- newest landed file and every measure are what the last run left, it is that run again, and its rows are replaced by equal ones.
-- An alert compares a run with the median of the runs before it; its thresholds are rows of the seed identity_quality_rule.
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='run_number', full_refresh=false,
    on_schema_change='append_new_columns'
) }}
with

thresholds as (
    select
        max(case when code = 'largest_customer' then amount end) as largest_customer,
        max(case when code = 'match_rate_drop' then amount end) as match_rate_drop,
        max(case when code = 'match_rate_records' then amount end) as match_rate_records,
        max(case when code = 'jump_factor' then amount end) as jump_factor,
        max(case when code = 'jump_least' then amount end) as jump_least,
        max(case when code = 'runs' then amount end) as runs
    from {{ ref('identity_quality_rule') }}
    where part = 'alert'
),

past as (
    {{ past_quality_runs() }}
),

files as (
    select landed_at, max(run_id) as landing_run_id from {{ source('landing', 'files') }} where status = 'landed' group by landed_at
),

newest as (
    select max(landed_at) as landed_at, max_by(landing_run_id, landed_at) as landing_run_id from files
),

customers as (
    select customer_id, is_anonymous, account_count + identifier_count as size from {{ ref('int_identity__customer_ids') }}
),

records as (
    {% for name, fact in [('order', 'fct_order'), ('event', 'fct_event'), ('touch', 'fct_touch')] -%}
    select
        '{{ name }}' as name,
        f.source_system,
        count(*) as record_count,
        sum(case when c.size > 1 then 1 else 0 end) as matched_count
    from {{ ref(fact) }} as f
    left join customers as c on c.customer_id = f.customer_id
    group by f.source_system
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

matches as (
    select name, source_system as dimension, record_count, matched_count from records
    union all
    select name, 'all' as dimension, sum(record_count) as record_count, sum(matched_count) as matched_count from records group by name
),

measures as (
    select 'customers' as measure, case when is_anonymous then 'anonymous' else 'known' end as dimension, count(*) as measure_value
    from customers
    group by is_anonymous
    {% for measure, dimension, value in [
        ('customers', 'all', 'count(*)'),
        ('identifiers', 'all', 'sum(size)'),
        ('identifiers_per_customer', 'p50', 'percentile_cont(0.5) within group (order by size asc nulls last)'),
        ('identifiers_per_customer', 'p99', 'percentile_cont(0.99) within group (order by size asc nulls last)'),
        ('identifiers_per_customer', 'max', 'max(size)'),
    ] -%}
    union all
    select '{{ measure }}' as measure, '{{ dimension }}' as dimension, {{ value }} as measure_value from customers
    {% endfor -%}
    union all
    select 'rejected_edges' as measure, reason as dimension, count(*) as measure_value
    from {{ ref('int_identity__rejected_edges') }}
    group by reason
    union all
    select name || '_match_rate' as measure, dimension, cast(matched_count as double) / nullif(record_count, 0) as measure_value
    from matches
    union all
    select name || '_records' as measure, dimension, record_count as measure_value from matches
),

present as (
    select measure, dimension, cast(measure_value as decimal(18, 6)) as measure_value from measures where measure_value is not null
),

last_run as (
    select max(run_number) as run_number, max(landed_at) as landed_at from past
),

differences as (
    select count(*) as difference_count
    from (
        select past.measure, past.dimension, past.measure_value
        from past
        inner join last_run on last_run.run_number = past.run_number
    ) as former
    full join present on present.measure = former.measure and present.dimension = former.dimension
    where coalesce(present.measure_value <> former.measure_value, true)
),

this_run as (
    select
        n.landed_at,
        n.landing_run_id,
        case
            when d.difference_count = 0 and n.landed_at = l.landed_at then l.run_number
            else coalesce(l.run_number, 0) + 1
        end as run_number
    from newest as n
    cross join last_run as l
    cross join differences as d
    where n.landed_at is not null
),

baselines as (
    select p.measure, p.dimension, median(p.measure_value) as baseline_value
    from past as p
    cross join this_run as r
    cross join thresholds as t
    where p.run_number < r.run_number and p.run_number >= r.run_number - t.runs
    group by p.measure, p.dimension
),

final as (
    select
        cast(r.run_number as bigint) as run_number,
        cast(r.landed_at as timestamp) as landed_at,
        cast(r.landing_run_id as string) as landing_run_id,
        cast(p.measure as string) as measure,
        cast(p.dimension as string) as dimension,
        p.measure_value,
        cast(b.baseline_value as decimal(18, 6)) as baseline_value,
        cast(case
            when p.measure = 'identifiers_per_customer' and p.dimension = 'max' and p.measure_value > t.largest_customer
                then 'largest_customer'
            when
                p.measure like '%_match_rate' and m.record_count >= t.match_rate_records
                and b.baseline_value - p.measure_value > t.match_rate_drop
                then 'match_rate_drop'
            when
                p.measure in ('rejected_edges', 'merges', 'splits') and r.run_number > 1 and p.measure_value >= t.jump_least
                and p.measure_value > t.jump_factor * coalesce(b.baseline_value, 0)
                then 'jump'
        end as string) as alert_code
    from present as p
    cross join this_run as r
    cross join thresholds as t
    left join baselines as b on b.measure = p.measure and b.dimension = p.dimension
    left join matches as m on m.name || '_match_rate' = p.measure and m.dimension = p.dimension
)

select * from final
