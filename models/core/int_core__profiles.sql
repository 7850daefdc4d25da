-- One row per customer with an account: what its accounts say about the person, the newest statement of each thing first.
-- Test accounts speak only where a customer has no other.
{%- set attributes = ['gender', 'birth_date', 'country', 'province', 'city', 'level_code', 'business_unit'] %}
with

accounts as (
    select * from {{ ref('int_core__accounts') }}
),

aged as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by
                is_test desc nulls first,
                updated_at asc nulls first,
                loaded_at asc nulls first,
                source_system asc nulls first,
                source_record_id asc nulls first
        ) as age_number
    from accounts
),

final as (
    select
        customer_id,
        min(case when is_test then 0 else 1 end) = 0 and max(case when is_test then 0 else 1 end) = 0 as is_test,
        min(case when not is_test then registered_at end) as registered_at,
        min(case when not is_test then coalesce(registered_at, created_at) end) as first_account_at,
        {% for attribute in attributes -%}
        max_by({{ attribute }}, case when {{ attribute }} is not null then age_number end) as {{ attribute }}{{ ',' if not loop.last }}
        {% endfor %}
    from aged
    group by customer_id
)

select * from final
