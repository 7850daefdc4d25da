-- One row per customer, tag and day from which it has the value, to the day before valid_to (NULL: still so on as_of). Who does not
-- have a tag has no row for those days, and nobody has one from the day on which they ask to be erased. Computed from facts and the
-- seeds as they are, for every day since the first touch.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
with

days as (
    select * from {{ ref('int_tag__days') }}
),

catalogue as (
    select * from {{ ref('tag') }}
),

compared as (
    select
        days.*
        {%- for code in tag_codes() %},
        lag({{ code }}) over ({{ in_order }}) as previous_{{ code }}
    {%- endfor %}
    from days
),

changes as (
    {%- for code in tag_codes() %}
    select
        customer_number,
        day_on,
        '{{ code }}' as tag_code,
        cast({{ code }} as string) as tag_value
    from compared
    where {{ code }} is distinct from previous_{{ code }}
    {% if not loop.last %}union all{% endif %}
    {%- else %}
    select customer_number, day_on, cast(null as string) as tag_code, cast(null as string) as tag_value
    from compared
    where 1 = 0
    {%- endfor %}
),

ended as (
    select
        changes.*,
        lead(day_on) over (partition by customer_number, tag_code order by day_on nulls last) as valid_to
    from changes
),

final as (
    select
        customers.customer_id,
        ended.tag_code,
        ended.day_on as valid_from,
        {{ until_left('ended.valid_to') }} as valid_to,
        ended.tag_value,
        catalogue.tag_kind,
        catalogue.label_en,
        catalogue.label_zh,
        catalogue.rule_version
    from ended
    inner join {{ ref('int_lifecycle__customers') }} as customers on ended.customer_number = customers.customer_number
    inner join catalogue on ended.tag_code = catalogue.tag_code
    where ended.tag_value is not null and (customers.left_on is null or ended.day_on < customers.left_on)
)

select * from final
