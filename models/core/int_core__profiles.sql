-- One row per customer with an account: what its accounts say about the person, the newest statement of each thing first.
-- Test accounts speak only where a customer has no other.
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
        max_by(gender, case when gender is not null then age_number end) as gender,
        max_by(birth_date, case when birth_date is not null then age_number end) as birth_date,
        max_by(country, case when country is not null then age_number end) as country,
        max_by(province, case when province is not null then age_number end) as province,
        max_by(city, case when city is not null then age_number end) as city,
        max_by(level_code, case when level_code is not null then age_number end) as level_code,
        max_by(business_unit, case when business_unit is not null then age_number end) as business_unit
    from aged
    group by customer_id
)

select * from final
