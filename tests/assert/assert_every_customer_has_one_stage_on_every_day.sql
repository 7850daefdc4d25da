-- In each model and mode the intervals of a customer follow each other without gap or overlap, from first touch to as_of, and
-- everybody who is no test and was seen by as_of has them, to the day on which they ask to be erased.
{%- set in_order = 'partition by mode_code, customer_id, model_code order by valid_from asc nulls last' %}
with

stated as (
    select 'fixed' as mode_code, customer_id, model_code, valid_from, valid_to from {{ ref('customer_lifecycle_intervals') }}
    union all
    select 'adaptive' as mode_code, customer_id, model_code, valid_from, valid_to from {{ ref('customer_lifecycle_intervals_adaptive') }}
),

intervals as (
    select
        stated.*,
        lag(valid_to) over ({{ in_order }}) as expected_from,
        row_number() over ({{ in_order }}) as place,
        lead(valid_from) over ({{ in_order }}) is null as is_last
    from stated
),

modes as (
    select 'fixed' as mode_code
    union all
    select 'adaptive' as mode_code
),

models as (
    select distinct modes.mode_code, rules.model_code
    from {{ ref('lifecycle_rule') }} as rules
    cross join modes
),

erasures as (
    select privacy_events.customer_id, min(privacy_events.event_on) as erased_on
    from {{ ref('fct_privacy_event') }} as privacy_events
    inner join {{ ref('int_core__as_of') }} as as_of on privacy_events.event_on <= as_of.as_of
    where privacy_events.action = 'erase' and not privacy_events.is_test
    group by privacy_events.customer_id
),

expected as (
    select
        customers.customer_id,
        models.mode_code,
        models.model_code,
        customers.first_touch_on,
        erasures.erased_on
    from {{ ref('dim_customer') }} as customers
    cross join {{ ref('int_core__as_of') }} as as_of
    cross join models
    left join erasures on customers.customer_id = erasures.customer_id
    where
        not customers.is_test and not customers.is_unknown and customers.first_touch_on <= as_of.as_of
        and (erasures.erased_on is null or erasures.erased_on > customers.first_touch_on)
)

select
    coalesce(expected.customer_id, intervals.customer_id) as customer_id,
    coalesce(expected.mode_code, intervals.mode_code) as mode_code,
    coalesce(expected.model_code, intervals.model_code) as model_code,
    intervals.valid_from,
    intervals.valid_to
from expected
full outer join intervals
    on
        expected.customer_id = intervals.customer_id
        and expected.mode_code = intervals.mode_code
        and expected.model_code = intervals.model_code
where
    expected.customer_id is null
    or intervals.customer_id is null
    or intervals.valid_to <= intervals.valid_from
    or (intervals.place = 1 and intervals.valid_from <> expected.first_touch_on)
    or (intervals.place > 1 and intervals.valid_from is distinct from intervals.expected_from)
    or (intervals.is_last and intervals.valid_to is distinct from expected.erased_on)
    or (not intervals.is_last and intervals.valid_to is null)
