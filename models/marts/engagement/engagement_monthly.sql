-- One row per month, channel and metric up to as_of, the running month so far: the value, and what it is made of.
-- A ratio is numerator by denominator, so that months and channels of one metric add up sum by sum. Metrics of visits are by
-- the channel that the visit came in by, those of orders by sales channel, those of persons (returns, repurchase, referrals,
-- feedback) by the customer's first channel; `all` is all of them. A cohort is a month of registrations or first purchases,
-- and is NULL until the window has closed for its last day. So is a metric in the months before its source delivers.
{%- set activity_parts = ['session_count', 'session_seconds', 'view_count', 'share_count', 'share_visit_count', 'impression_count',
    'click_count', 'lead_event_count', 'registration_count', 'channel_registration_count', 'order_count', 'net_sales_amount',
    'new_buyer_count'] %}
{%- set activation_depth = funnel_steps().get('activation', []) | length %}
{%- set approved = "answers where feedback_kind in ('ugc', 'review') and status = 'approved'" %}
{%- set person_parts = {
    'active_customers': ('1', 'active'),
    'nps_answers': ('1', 'answers where nps_rank = 1'),
    'nps_points': ('case when score >= 9 then 100 when score <= 6 then -100 else 0 end', 'answers where nps_rank = 1'),
    'nps_promoters': ('1', 'answers where nps_rank = 1 and score >= 9'),
    'csat_answers': ('1', "answers where feedback_kind = 'csat' and score is not null and scale_max > 0"),
    'csat_satisfied': ('1', "answers where feedback_kind = 'csat' and score >= 0.8 * scale_max and scale_max > 0"),
    'reviews': ('1', approved ~ " and feedback_kind = 'review' and score is not null and scale_max > 0"),
    'review_stars': ('5 * score / nullif(scale_max, 0)', approved ~ " and feedback_kind = 'review' and score is not null and scale_max > 0"),
    'complaining': ('1', person_months("answers where feedback_kind = 'complaint'")),
    'responses': ('1', 'answers where first_response_seconds >= 0'),
    'first_response_hours': ('first_response_seconds / 3600.0', 'answers where first_response_seconds >= 0'),
    'resolutions': ('1', 'answers where resolution_seconds >= 0'),
    'resolution_hours': ('resolution_seconds / 3600.0', 'answers where resolution_seconds >= 0'),
    'ugc_posts': ('1', approved),
    'ugc_contributors': ('1', person_months(approved)),
    'invites': ('1', 'invites'),
    'invites_joined': ('1', 'invites where referee_rank = 1 and joined_on is not null'),
    'joined': ('1', person_months('invites where referee_rank = 1 and joined_on is not null', 'joined_on', 'referral_key')),
    'referrers': ('1', person_months('invites where succeeded_on is not null', 'succeeded_on')),
} %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select
        customer_id, first_channel as channel_code, registered_on, not is_unknown and not is_anonymous and not is_test as is_identified
    from {{ ref('dim_customer') }}
),

orders as (
    select * from {{ ref('int_sales__order_results') }}
),

active as (
    select distinct days.customer_id, customers.channel_code, {{ month_of('days.day_on') }} as month_on
    from {{ ref('fct_customer_day') }} as days
    inner join as_of on days.day_on <= as_of.as_of
    inner join customers on days.customer_id = customers.customer_id
    where days.is_active and customers.is_identified
),

answers as (
    select
        feedback.*,
        customers.channel_code,
        {{ month_of('feedback.feedback_on') }} as month_on,
        case when feedback.feedback_kind = 'nps' and feedback.scale_max = 10 and feedback.score between 0 and 10 then row_number() over (
            partition by
                case when feedback.feedback_kind = 'nps' and feedback.scale_max = 10 and feedback.score between 0 and 10 then 1 else 0 end,
                case when feedback.customer_id = '-1' then feedback.feedback_key else feedback.customer_id end,
                {{ month_of('feedback.feedback_on') }}
            order by feedback.feedback_at desc nulls last, feedback.feedback_key desc nulls last
        ) end as nps_rank,
        case
            when feedback.feedback_kind = 'ticket' and {{ local_day('feedback.first_response_at') }} <= as_of.as_of
                then {{ seconds_between('feedback.feedback_at', 'feedback.first_response_at') }}
        end as first_response_seconds,
        case
            when feedback.feedback_kind = 'ticket' and {{ local_day('feedback.resolved_at') }} <= as_of.as_of
                then {{ seconds_between('feedback.feedback_at', 'feedback.resolved_at') }}
        end as resolution_seconds
    from {{ ref('fct_feedback') }} as feedback
    inner join as_of on feedback.feedback_on <= as_of.as_of
    inner join customers on feedback.customer_id = customers.customer_id
    where not feedback.is_test
),
