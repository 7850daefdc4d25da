-- In each model the intervals of a customer follow each other without gap or overlap, from first touch to as_of, and everybody who
-- is no test and was seen by as_of has them.
with

intervals as (
    select
        customer_id,
        model_code,
        valid_from,
        valid_to,
        lag(valid_to) over (partition by customer_id, model_code order by valid_from asc nulls last) as expected_from,
        row_number() over (partition by customer_id, model_code order by valid_from asc nulls last) as place,
        count(*) over (partition by customer_id, model_code) as row_count
    from {{ ref('customer_lifecycle_intervals') }}
),

models as (
    select distinct model_code from {{ ref('lifecycle_rule') }}
),

expected as (
    select
        customers.customer_id,
        models.model_code,
        customers.first_touch_on
    from {{ ref('dim_customer') }} as customers
    cross join {{ ref('int_core__as_of') }} as as_of
    cross join models
    where not customers.is_test and not customers.is_unknown and customers.first_touch_on <= as_of.as_of
)

select
    coalesce(expected.customer_id, intervals.customer_id) as customer_id,
    coalesce(expected.model_code, intervals.model_code) as model_code,
    intervals.valid_from,
    intervals.valid_to
from expected
full outer join intervals on expected.customer_id = intervals.customer_id and expected.model_code = intervals.model_code
where
    expected.customer_id is null
    or intervals.customer_id is null
    or intervals.valid_to <= intervals.valid_from
    or (intervals.place = 1 and intervals.valid_from <> expected.first_touch_on)
    or (intervals.place > 1 and intervals.valid_from is distinct from intervals.expected_from)
    or ((intervals.place = intervals.row_count) <> (intervals.valid_to is null))
