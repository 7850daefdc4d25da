-- One row per customer and day on which a tag may change, with the value of every tag from that day on in a column of its own, NULL
-- for who does not have it. Made like the stages of the lifecycle: the days on which something is told, and those on which time alone
-- reaches a threshold.
{%- set book = tagbook() %}
{%- set counts = ['active_days_28', 'active_days_prev28'] %}
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
{%- set so_far = in_order ~ ' rows between unbounded preceding and current row' %}
with

customers as (
    select customers.customer_number, customers.customer_id, customers.first_touch_on
    from {{ ref('int_lifecycle__customers') }} as customers
    inner join {{ ref('dim_customer') }} as known on customers.customer_id = known.customer_id
    where not known.is_anonymous
),

states as (
    select states.*
    from {{ ref('int_lifecycle__states') }} as states
    inner join customers on states.customer_number = customers.customer_number
),

active_windows as (
    {{ tag_active_windows('customers', book.models) }}
),

levels as (
    {{ tag_levels() }}
),

clocks as (
    {{ lifecycle_clock_rows(book.models) }}
),

-- What is told holds until it is told anew; '' stands for nothing from that day on.
told as (
    select customer_number, day_on, 'state' as told_by, cast(null as string) as told_value from states
    {%- for name in counts %}
    union all
    select customer_number, day_on, '{{ name }}' as told_by, cast(cast({{ name }} as bigint) as string) as told_value
    from active_windows
    {%- endfor %}
    union all
    select customers.customer_number, intervals.valid_from as day_on, intervals.model_code || '_stage' as told_by, intervals.stage_code as told_value
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    inner join customers on intervals.customer_id = customers.customer_id
    union all
    select
        customers.customer_number, greatest(levels.told_on, customers.first_touch_on) as day_on, 'level_code' as told_by,
        max_by(coalesce(levels.level_code, ''), cast(levels.told_at as string) || levels.told_by) as told_value
    from levels
    inner join customers on levels.customer_id = customers.customer_id
    group by customers.customer_number, greatest(levels.told_on, customers.first_touch_on)
    {%- for rank in [1, 2, 3] %}
    {%- for day, place in [('valid_from', rank), ('valid_to', 0)] %}
    union all
    select
        customers.customer_number, affinities.{{ day }} as day_on, 'affinity_{{ rank }}' as told_by,
        case when affinities.affinity_rank = {{ place }} then affinities.category else '' end as told_value
    from {{ ref('customer_affinity') }} as affinities
    inner join customers on affinities.customer_id = customers.customer_id
    {%- endfor %}
    {%- endfor %}
    {%- for day in tag_retirement_days() %}
    union all
    select customer_number, cast('{{ day }}' as date) as day_on, 'retirement' as told_by, cast(null as string) as told_value from customers
    {%- endfor %}
),

days as (
    select
        told.customer_number,
        told.day_on,
        max(case when told.told_by = 'state' then told.day_on end) as state_on
        {%- for name in counts + book.texts %},
        max(case when told.told_by = '{{ name }}' then told.told_value end) as {{ name }}
        {%- endfor %}
    from told
    cross join {{ ref('int_core__as_of') }} as as_of
    where told.day_on <= as_of.as_of and told.told_by in ({{ _quoted(['state', 'retirement'] + counts + book.texts) }})
    group by told.customer_number, told.day_on
),

carried as (
    select
        customer_number,
        day_on,
        max(state_on) over ({{ so_far }}) as state_on
        {%- for name in counts %},
        coalesce(cast({{ last_known(name, in_order) }} as bigint), 0) as {{ name }}
        {%- endfor %}
        {%- for name in book.texts %},
        {{ last_known(name, in_order) }} as {{ name }},
        max(case when {{ name }} is not null then day_on end) over ({{ so_far }}) as {{ name }}_on
        {%- endfor %},
        lead(day_on) over ({{ in_order }}) as next_day_on
    from days
),

known as (
    select
        carried.*,
        {%- for column in tag_state_columns() %}
        states.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from carried
    inner join states on carried.customer_number = states.customer_number and carried.state_on = states.day_on
),

ripening as (
    select known.customer_number, known.day_on, known.next_day_on, {{ lifecycle_ripe_on('clocks', 'known', book.models) }} as seen_on
    from known
    inner join clocks on known.business_type = clocks.business_type
    {%- for tag in book.tags if tag.ttl_days is not none %}
    union all
    select customer_number, day_on, next_day_on, {{ days_later(tag.feature ~ '_on', tag.ttl_days) }} as seen_on from known
    {%- endfor %}
),

seen as (
    select customer_number, day_on, day_on as seen_on from known
    union all
    select distinct ripening.customer_number, ripening.day_on, ripening.seen_on
    from ripening
    cross join {{ ref('int_core__as_of') }} as as_of
    where
        ripening.seen_on > ripening.day_on and ripening.seen_on <= as_of.as_of
        and (ripening.seen_on < ripening.next_day_on or ripening.next_day_on is null)
),

features as (
    select
        seen.customer_number,
        seen.seen_on as day_on,
        known.business_type,
        known.service_cycle_days,
        known.expected_gap_days,
        {%- for name in book.texts %}
        nullif(known.{{ name }}, '') as {{ name }},
        known.{{ name }}_on,
        {%- endfor %}
        {{ lifecycle_feature_columns() }}
    from seen
    inner join known on seen.customer_number = known.customer_number and seen.day_on = known.day_on
),

valued as (
    select
        customer_number,
        day_on
        {%- for tag in book.tags %},
        {{ tag_value(tag) }} as {{ tag.code }}
        {%- endfor %}
    from features
),

final as (
    select
        customer_number,
        day_on
        {%- for tag in book.tags %},
        {{ tag_standing(tag) }} as {{ tag.code }}
        {%- endfor %}
    from valued
)

select * from final
