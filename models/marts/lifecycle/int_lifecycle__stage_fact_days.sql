-- One row per model, customer and day with any fact: the stage that it belongs to, which is the one of the day before, and how
-- much there was. So an order counts where it came from and not where it led. What nobody known did, and what a customer did on
-- the very first day, belongs to the stage in which everybody begins. A cohort stands with the day that it came in on.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id, registered_on, not is_unknown and not is_anonymous as is_identified
    from {{ ref('dim_customer') }}
    where not is_test
),

orders as (
    select * from {{ ref('fct_order') }} where is_valid
),

-- A buyer of the month stands with his first purchase in it, because that one leads into another stage.
month_buyers as (
    select orders.customer_id, min(orders.ordered_on) as day_on, count(distinct orders.ordered_on) as purchase_days
    from orders
    inner join customers on orders.customer_id = customers.customer_id
    where customers.is_identified
    group by orders.customer_id, {{ month_of('orders.ordered_on') }}
),

entries as (
    select * from {{ ref('int_lifecycle__entries') }}
),

-- Up to as_of only, so that a visit over that midnight is as long as it was known to be.
cut_sessions as (
    select
        events.session_id, sum(events.engagement_ms) as engagement_ms,
        {{ seconds_between('min(events.session_started_at)', 'max(events.event_at)') }} as duration_seconds
    from {{ ref('fct_event') }} as events
    inner join {{ ref('fct_session') }} as sessions on events.session_id = sessions.session_id
    inner join as_of
        on events.event_on <= as_of.as_of and sessions.started_on <= as_of.as_of and {{ local_day('sessions.ended_at') }} > as_of.as_of
    group by events.session_id
),

-- What the source measured, else from the first event to the last; four hours at the most.
sessions as (
    select
        sessions.customer_id, sessions.started_on as day_on,
        least(14400, coalesce(
            case when cut_sessions.session_id is null then sessions.engagement_ms else cut_sessions.engagement_ms end / 1000.0,
            cut_sessions.duration_seconds, sessions.duration_seconds
        )) as seconds
    from {{ ref('fct_session') }} as sessions
    left join cut_sessions on sessions.session_id = cut_sessions.session_id
),

-- The last score from 0 to 10 of each customer and month; an answer of nobody known stands alone.
answers as (
    select
        feedback.*,
        case when feedback.feedback_kind = 'nps' and feedback.scale_max = 10 and feedback.score between 0 and 10 then row_number() over (
            partition by
                case when feedback.feedback_kind = 'nps' and feedback.scale_max = 10 and feedback.score between 0 and 10 then 1 else 0 end,
                case when feedback.customer_id = '-1' then feedback.feedback_key else feedback.customer_id end,
                {{ month_of('feedback.feedback_on') }}
            order by feedback.feedback_at desc nulls last, feedback.feedback_key desc nulls last
        ) end as nps_rank
    from {{ ref('fct_feedback') }} as feedback
    inner join as_of on feedback.feedback_on <= as_of.as_of
    where not feedback.is_test
),

-- Invited and then registered, on the day of the invitation; a friend of several is the first one's.
invites as (
    select
        referrals.referrer_customer_id as customer_id,
        coalesce(referrals.invited_on, referrals.registered_on, friends.registered_on) as day_on,
        row_number() over (
            partition by case when referrals.referee_customer_id = '-1' then referrals.referral_key else referrals.referee_customer_id end
            order by referrals.invited_at asc nulls first, referrals.referral_key asc nulls last
        ) as referee_rank
    from {{ ref('fct_referral') }} as referrals
    cross join as_of
    left join customers as friends on referrals.referee_customer_id = friends.customer_id
    where
        not referrals.is_test and not referrals.is_self_referral
        and coalesce(referrals.registered_on, friends.registered_on) <= as_of.as_of
        and coalesce(referrals.invited_on <= coalesce(referrals.registered_on, friends.registered_on), true)
),

customer_days as (
    select * from {{ ref('fct_customer_day') }}
),

successes as (
    select * from {{ ref('int_lifecycle__referral_successes') }}
),

facts as (
    select
        customer_id, event_on as day_on,
        case event_name when 'share' then 'share_count' when 'form_submit' then 'lead_events' else 'view_count' end as measure,
        cast(count(*) as decimal(18, 4)) as amount
    from {{ ref('fct_event') }}
    where event_name in ('page_view', 'content_view', 'share', 'form_submit') and not is_bot and not is_test
    group by customer_id, event_on, event_name
    union all
    {{ stage_fact_rows() }}
),

fact_days as (
    select
        facts.customer_id,
        facts.day_on,
        {%- for measure in stage_fact_measures() %}
        sum(case when facts.measure = '{{ measure }}' then facts.amount end) as {{ measure }},
        {%- endfor %}
        customers.is_identified
    from facts
    inner join customers on facts.customer_id = customers.customer_id
    inner join as_of on facts.day_on <= as_of.as_of
    group by facts.customer_id, facts.day_on, customers.is_identified
),

models as (
    select distinct model_code from {{ ref('lifecycle_rule') }}
),

-- The open interval ends at the end of time, not at NULL: a join on "or ... is null" compares every fact with every interval.
intervals as (
    select customer_id, model_code, stage_code, valid_from, coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('customer_lifecycle_intervals') }}
),

final as (
    select
        models.model_code,
        coalesce(intervals.stage_code, {{ lifecycle_entry_stage('models.model_code') }}) as stage_code,
        fact_days.*
    from fact_days
    cross join models
    left join intervals
        on
            fact_days.customer_id = intervals.customer_id
            and models.model_code = intervals.model_code
            and fact_days.day_on > intervals.valid_from
            and fact_days.day_on <= intervals.valid_to
)

select * from final
