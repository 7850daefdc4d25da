-- One row per customer and day on which what they do for the brand changes: friends whose referral succeeded, what they
-- published, their last answer to how likely they would recommend. The counts cover 365 days, so each one leaves on its own day.
{%- set in_order = 'partition by customer_number order by day_on nulls last' %}
with

customers as (
    select * from {{ ref('int_lifecycle__customers') }}
),

-- A success leaves 365 days after it, or with what made it one.
successes as (
    select
        customers.customer_number,
        successes.known_from,
        least(
            {{ days_later('successes.succeeded_on', 365) }}, coalesce(successes.known_to, cast('9999-12-31' as date))
        ) as until_on
    from {{ ref('int_lifecycle__referral_successes') }} as successes
    inner join customers on successes.customer_id = customers.customer_id
),

feedback as (
    select
        customers.customer_number,
        feedback.feedback_kind,
        feedback.feedback_on,
        feedback.status,
        feedback.score,
        feedback.scale_max,
        row_number() over (
            partition by customers.customer_number, feedback.feedback_kind, feedback.scale_max, feedback.feedback_on
            order by feedback.feedback_at desc nulls last, feedback.feedback_key desc nulls last
        ) as place
    from {{ ref('fct_feedback') }} as feedback
    inner join customers on feedback.customer_id = customers.customer_id
    where not feedback.is_test and (feedback.score is not null or feedback.feedback_kind <> 'nps')
),

changes as (
    select customer_number, known_from as day_on, 1 as referral_change, 0 as ugc_change, cast(null as decimal(18, 4)) as last_nps
    from successes where until_on > known_from
    union all
    select customer_number, until_on as day_on, -1 as referral_change, 0 as ugc_change, cast(null as decimal(18, 4)) as last_nps
    from successes where until_on > known_from
    union all
    select customer_number, feedback_on as day_on, 0 as referral_change, 1 as ugc_change, cast(null as decimal(18, 4)) as last_nps
    from feedback where feedback_kind in ('ugc', 'review') and status = 'approved'
    union all
    select
        customer_number, {{ days_later('feedback_on', 365) }} as day_on, 0 as referral_change, -1 as ugc_change,
        cast(null as decimal(18, 4)) as last_nps
    from feedback where feedback_kind in ('ugc', 'review') and status = 'approved'
    union all
    select customer_number, feedback_on as day_on, 0 as referral_change, 0 as ugc_change, score as last_nps
    from feedback where feedback_kind = 'nps' and scale_max = 10 and place = 1
),

days as (
    select
        changes.customer_number,
        changes.day_on,
        sum(changes.referral_change) as referral_change,
        sum(changes.ugc_change) as ugc_change,
        max(changes.last_nps) as last_nps
    from changes
    cross join {{ ref('int_core__as_of') }} as as_of
    where changes.day_on <= as_of.as_of
    group by changes.customer_number, changes.day_on
),

final as (
    select
        customer_number,
        day_on,
        cast(sum(referral_change) over ({{ in_order }} rows between unbounded preceding and current row) as bigint) as referrals_ok_365,
        cast(sum(ugc_change) over ({{ in_order }} rows between unbounded preceding and current row) as bigint) as ugc_365,
        {{ last_known('last_nps', in_order) }} as last_nps
    from days
)

select * from final
