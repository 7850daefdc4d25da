-- One row per run, measure and value of its dimension: how well identifiers were joined to customers, run after run.
-- A past run cannot be computed again, so this table is remembered: every run, a full refresh too, keeps the rows of earlier ones. A
-- run is told apart by what it found: while the newest landed file and every measure are what the last run left, it is that run
-- again, and its rows are replaced by equal ones. An alert compares a run with the median of the runs before it.
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

past as ({{ past_quality_runs() }}),

newest as (
    select max(landed_at) as landed_at, max_by(run_id, cast(landed_at as string) || run_id) as landing_run_id
    from {{ source('landing', 'files') }}
    where status = 'landed'
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

-- What happened to ids is a sum over all runs here, as the history holds it, and becomes this run's part of it below.
present as (
    {% for measure, dimension, value in [
        ('customers', 'all', 'count(*)'),
        ('customers', 'known', 'sum(case when is_anonymous then 0 else 1 end)'),
        ('customers', 'anonymous', 'sum(case when is_anonymous then 1 else 0 end)'),
        ('identifiers', 'all', 'sum(size)'),
        ('identifiers_per_customer', 'p50', 'percentile_cont(0.5) within group (order by size asc nulls last)'),
        ('identifiers_per_customer', 'p99', 'percentile_cont(0.99) within group (order by size asc nulls last)'),
        ('identifiers_per_customer', 'max', 'max(size)'),
    ] -%}
    select '{{ measure }}' as measure, '{{ dimension }}' as dimension, cast({{ value }} as decimal(18, 6)) as measure_value
    from customers
    union all
    {% endfor -%}
    {% for event in ['born', 'merged', 'split', 'restored', 'retired'] -%}
    select 'id_changes' as measure, '{{ event }}' as dimension, sum(case when event = '{{ event }}' then 1 else 0 end) as measure_value
    from {{ ref('identity_id_history') }}
    union all
    {% endfor -%}
    select 'rejected_edges' as measure, reason as dimension, count(*) as measure_value
    from {{ ref('int_identity__rejected_edges') }}
    group by reason
    union all
    select name || '_match_rate' as measure, dimension, cast(matched_count as double) / nullif(record_count, 0) as measure_value
    from matches
    union all
    select name || '_records' as measure, dimension, record_count as measure_value from matches
),

last_run as (
    select max(run_number) as run_number, max(landed_at) as landed_at from past
),

former as (
    select p.measure, p.dimension, p.measure_value
    from past as p
    inner join last_run as l on l.run_number = p.run_number
    where p.measure <> 'id_changes'
    union all
    select measure, dimension, sum(measure_value) as measure_value from past where measure = 'id_changes' group by measure, dimension
),

differences as (
    select count(*) as difference_count
    from present as n
    full join former as f on f.measure = n.measure and f.dimension = n.dimension
    where coalesce(cast(n.measure_value as decimal(18, 6)) <> f.measure_value, true)
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

earlier as (
    select
        p.measure,
        p.dimension,
        sum(case when p.measure = 'id_changes' then p.measure_value else 0 end) as so_far,
        median(case when p.run_number >= r.run_number - t.runs then p.measure_value end) as baseline_value
    from past as p
    cross join thresholds as t
    inner join this_run as r on r.run_number > p.run_number
    group by p.measure, p.dimension
),

found as (
    select
        n.measure,
        n.dimension,
        cast(n.measure_value - coalesce(e.so_far, 0) as decimal(18, 6)) as measure_value,
        cast(e.baseline_value as decimal(18, 6)) as baseline_value
    from present as n
    left join earlier as e on e.measure = n.measure and e.dimension = n.dimension
),

final as (
    select p.run_number, p.landed_at, p.landing_run_id, p.measure, p.dimension, p.measure_value, p.baseline_value, p.alert_code
    from past as p
    left join this_run as r on r.run_number = p.run_number
    where r.run_number is null

    union all

    select
        r.run_number, r.landed_at, r.landing_run_id, f.measure, f.dimension, f.measure_value, f.baseline_value,
        case
            when f.measure = 'identifiers_per_customer' and f.dimension = 'max' and f.measure_value > t.largest_customer
                then 'largest_customer'
            when m.record_count >= t.match_rate_records and f.baseline_value - f.measure_value > t.match_rate_drop
                then 'match_rate_drop'
            when
                (f.measure = 'rejected_edges' or (f.measure = 'id_changes' and f.dimension in ('merged', 'split')))
                and r.run_number > 1 and f.measure_value >= t.jump_least
                and f.measure_value > t.jump_factor * coalesce(f.baseline_value, 0)
                then 'jump'
        end as alert_code
    from found as f
    cross join this_run as r
    cross join thresholds as t
    left join matches as m on m.name || '_match_rate' = f.measure and m.dimension = f.dimension
)

select * from final
