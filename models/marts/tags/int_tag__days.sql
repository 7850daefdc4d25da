-- One row per customer and day on which a tag may change, with the value of every tag from that day on in a column of its own, NULL
-- for who does not have it. Made like the stages of the lifecycle: the days on which something is told, and those on which time alone
-- reaches a threshold.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

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
    {{ tag_active_windows('customers') }}
),

stages as (
    {{ tag_stages('customers') }}
),

levels as (
    {{ tag_levels('customers') }}
),

statements as (
    {{ tag_statements('customers') }}
),

leaders as (
    {{ tag_leaders('customers') }}
),

-- What is told holds until it is told anew; '' stands for nothing from that day on.
told as (
    select customer_number, day_on, 'state' as told_by, cast(null as string) as told_value from states
    {%- for name in tag_windows() %}
    union all
    select customer_number, day_on, '{{ name }}' as told_by, cast({{ name }} as string) as told_value from active_windows
    {%- endfor %}
    union all
    select customer_number, day_on, told_by, told_value from stages
    union all
    select customer_number, day_on, told_by, told_value from levels
    union all
    select customer_number, day_on, told_by, told_value from statements
    union all
    select customer_number, day_on, told_by, told_value from leaders
    {%- for day in tag_retirement_days() %}
    union all
    select customer_number, cast('{{ day }}' as date) as day_on, 'retirement' as told_by, cast(null as string) as told_value
    from customers
    {%- endfor %}
),

days as (
    select
        told.customer_number,
        told.day_on,
        max(case when told.told_by = 'state' then told.day_on end) as state_on
        {%- for name in tag_told_names() %},
        max(case when told.told_by = '{{ name }}' then told.told_value end) as {{ name }}
    {%- endfor %}
    from told
    cross join as_of
    where told.day_on <= as_of.as_of and told.told_by in ({{ tag_told_list() }})
    group by told.customer_number, told.day_on
),

carried as (
    select
        customer_number,
        day_on,
        lead(day_on) over ({{ in_order }}) as next_day_on,
        max(state_on) over ({{ in_order }} rows between unbounded preceding and current row) as state_on
        {%- for name in tag_told_names() %},
        {{ last_known(name, in_order) }} as {{ name }},
        {{ last_known('case when ' ~ name ~ ' is not null then day_on end', in_order) }} as {{ name }}_on
    {%- endfor %}
    from days
),

known as (
    select
        {%- for column in tag_state_columns() %}
        states.{{ column }},
        {%- endfor %}
        {%- for name in tag_windows() %}
        coalesce(cast(carried.{{ name }} as bigint), 0) as {{ name }},
        {%- endfor %}
        {%- for name in tag_texts() %}
        nullif(carried.{{ name }}, '') as {{ name }},
        carried.{{ name }}_on,
        {%- endfor %}
        carried.customer_number,
        carried.day_on,
        carried.next_day_on
    from carried
    inner join states on carried.customer_number = states.customer_number and carried.state_on = states.day_on
),

ripening as (
    {{ tag_ripening('known') }}
    {%- for day in tag_expiry_days() %}
    union all
    select customer_number, day_on, next_day_on, {{ day }} as seen_on from known
    {%- endfor %}
),

seen as (
    select customer_number, day_on, day_on as seen_on from known
    union all
    select distinct ripening.customer_number, ripening.day_on, ripening.seen_on
    from ripening
    cross join as_of
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
        {%- for name in tag_texts() %}
        known.{{ name }},
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
        {%- for code in tag_codes() %},
        {{ tag_value(code) }} as {{ code }}
    {%- endfor %}
    from features
),

-- Of the tags of a group only the first one is given.
final as (
    select
        customer_number,
        day_on
        {%- for code in tag_codes() %},
        {{ tag_standing(code) }} as {{ code }}
    {%- endfor %}
    from valued
)

select * from final
