-- One row per customer with an account and period in which the profile stood as it is here, from the first statement on.
-- Computed from every landed version under today's identity. Test accounts speak only where a customer has no other.
{%- set attributes = profile_attributes() -%}
{%- set rules = survivorship_rules() %}
with

states as (
    select * from {{ ref('int_core__account_states') }}
),

moments as (
    select distinct customer_id, valid_from from states
),

in_force as (
    select
        s.*,
        m.valid_from as seen_at,
        not s.is_deleted and (
            not s.is_test
            or max(case when not s.is_deleted and not s.is_test then 1 else 0 end) over (partition by m.customer_id, m.valid_from) = 0
        ) as is_heard
    from moments as m
    inner join states as s
        on s.customer_id = m.customer_id
        and s.valid_from <= m.valid_from
        and (s.valid_to is null or s.valid_to > m.valid_from)
),

heard as (
    select
        customer_id,
        seen_at,
        source_system,
        source_record_id
        {%- for attribute in attributes %},
        {{ attribute }}_since,
        case when is_heard then {{ attribute }} end as {{ attribute }},
        case when is_heard then {{ attribute }}_completeness else 0 end as {{ attribute }}_completeness
        {%- endfor %}
    from in_force
),

ranked as (
    select
        *
        {%- for attribute in attributes %},
        row_number() over (partition by customer_id, seen_at order by {{ survivorship_order(attribute, rules) }}) as {{ attribute }}_rank
        {%- endfor %}
    from heard
),

chosen as (
    select
        customer_id,
        seen_at,
        {%- for attribute in attributes %}
        max(case when {{ attribute }}_rank = 1 then {{ attribute }} end) as {{ attribute }},
        max(case when {{ attribute }}_rank = 1 and {{ attribute }} is not null then source_system end) as {{ attribute }}_source,
        {%- endfor %}
        greatest(count(distinct case when birth_date_completeness = 2 then birth_date end) - 1, 0) as birth_date_conflict_count
    from ranked
    group by customer_id, seen_at
),

hashed as (
    select
        *,
        {{ row_hash(profile_columns()) }} as profile_hash
    from chosen
),

compared as (
    select
        *,
        lag(profile_hash) over (partition by customer_id order by seen_at asc nulls last) as previous_hash
    from hashed
),

final as (
    select
        customer_id,
        seen_at as valid_from,
        lead(seen_at) over (partition by customer_id order by seen_at asc nulls last) as valid_to,
        {%- for attribute in attributes %}
        {{ attribute }},
        {{ attribute }}_source,
        {%- endfor %}
        cast(birth_date_conflict_count as bigint) as birth_date_conflict_count
    from compared
    where profile_hash is distinct from previous_hash
)

select * from final
