-- Fails with the customers whose profile has a gap, an overlap, a row that says nothing new or none that is open, or whose open
-- row is not what dim_customer says. A customer without an account has none.
with

history as (
    select
        *,
        lead(valid_from) over (partition by customer_id order by valid_from asc nulls last) as next_from,
        {{ row_hash(profile_columns()) }} as profile_hash,
        lag({{ row_hash(profile_columns()) }}) over (partition by customer_id order by valid_from asc nulls last) as previous_hash
    from {{ ref('dim_customer_history') }}
),

current_rows as (
    select
        customer_id,
        {{ row_hash(profile_columns()) }} as profile_hash
    from {{ ref('dim_customer') }}
),

accounts as (
    select distinct customer_id from {{ ref('int_core__accounts') }} where customer_id <> '-1'
),

final as (
    select
        customer_id,
        'periods do not join' as fault
    from history
    where valid_to is distinct from next_from or valid_to <= valid_from or profile_hash = previous_hash

    union all

    select
        c.customer_id,
        'dim_customer says something else' as fault
    from current_rows as c
    left join history as h on h.customer_id = c.customer_id and h.valid_to is null
    left join accounts as a on a.customer_id = c.customer_id
    where
        h.profile_hash <> c.profile_hash
        or (h.customer_id is null and a.customer_id is not null)
)

select * from final
