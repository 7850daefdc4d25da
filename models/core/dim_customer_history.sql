-- One row per customer with an account and period in which the profile stood as it is here, from the first statement on.
-- Computed from every landed version under today's identity. Test accounts speak only where a customer has no other.
{%- set attributes = profile_attributes() -%}
{%- set rules = survivorship_rules() %}
with

states as (
    select
        customer_id,
        valid_from,
        coalesce(valid_to, cast('9999-12-31 00:00:00' as timestamp)) as valid_to,
        is_deleted,
        is_test,
        {%- for attribute in attributes %}
        {{ attribute }},
        {{ survivorship_key(attribute, rules) }} as {{ attribute }}_key,
        {%- endfor %}
        case when birth_date_completeness = 2 then birth_date end as whole_birth_date,
        source_system
    from {{ ref('int_core__account_states') }}
),

moments as (
    select distinct customer_id, valid_from as seen_at from states
),

in_force as (
    select
        s.*,
        m.seen_at,
        max(case when not s.is_deleted and not s.is_test then 1 else 0 end) over (
            partition by m.customer_id, m.seen_at
        ) = 1 as has_real_account
    from moments as m
    inner join states as s on s.customer_id = m.customer_id and s.valid_from <= m.seen_at and m.seen_at < s.valid_to
),

-- A deleted account has nothing to say, but its row keeps the moment.
heard as (
    select
        *,
        not is_test or not has_real_account as is_heard
    from in_force
),

chosen as (
    select
        customer_id,
        seen_at,
        {%- for attribute in attributes %}
        max_by({{ attribute }}, case when is_heard then {{ attribute }}_key end) as {{ attribute }},
        max_by(source_system, case when is_heard then {{ attribute }}_key end) as {{ attribute }}_source,
        {%- endfor %}
        greatest(count(distinct case when is_heard then whole_birth_date end) - 1, 0) as birth_date_conflict_count
    from heard
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
