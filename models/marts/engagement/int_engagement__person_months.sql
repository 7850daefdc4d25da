-- One row per customer, month and part of a monthly metric: what the customer adds to the part in the month.
-- A cohort's parts stand in the month of the entry (registration, first purchase) and count days from its day. Active is an
-- event that counts as activity or an order placed. What cannot be pinned on a known person stays with the unknown customer.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

customers as (
    select customer_id, registered_on, not is_unknown and not is_anonymous and not is_test as is_identified
    from {{ ref('dim_customer') }}
),

-- Orders of one day are one purchase.
purchase_days as (
    select
        customer_id,
        ordered_on,
        row_number() over (partition by customer_id order by ordered_on asc nulls last) as purchase_number
    from (select distinct customer_id, ordered_on from {{ ref('int_sales__order_results') }} where is_buyer_order) as days
),

purchases as (
    select
        customer_id,
        min(ordered_on) as first_order_on,
        max(case when purchase_number = 2 then ordered_on end) as second_order_on
    from purchase_days
    where purchase_number <= 2
    group by customer_id
),

active_days as (
    select days.customer_id, days.day_on
    from {{ ref('fct_customer_day') }} as days
    inner join as_of on days.day_on <= as_of.as_of
    inner join customers on days.customer_id = customers.customer_id
    where days.is_active and customers.is_identified
),

entries as (
    select customer_id, 'registration' as entry_event, registered_on as entry_on from customers
    where is_identified and registered_on is not null
    union all
    select customer_id, 'first_purchase' as entry_event, first_order_on as entry_on from purchases
),

returns as (
    select
        entries.customer_id,
        entries.entry_event,
        {%- for name, first, last in [('d1', 1, 1), ('d7', 7, 7), ('d30', 30, 30), ('d1_7', 1, 7), ('d8_30', 8, 30)] %}
        max(case
            when {{ days_between('entries.entry_on', 'active_days.day_on') }} between {{ first }} and {{ last }} then 1
        end) as is_active_{{ name }},
        {%- endfor %}
        max({{ days_between('entries.entry_on', 'active_days.day_on') }}) as last_active_days
    from entries
    inner join active_days on entries.customer_id = active_days.customer_id
    group by entries.customer_id, entries.entry_event
),

entered as (
    select
        entries.customer_id,
        entries.entry_event,
        {{ month_of('entries.entry_on') }} as month_on,
        {{ days_between('entries.entry_on', 'purchases.first_order_on') }} as first_order_days,
        {{ days_between('entries.entry_on', 'purchases.second_order_on') }} as second_order_days,
        {%- for name in ['d1', 'd7', 'd30', 'd1_7', 'd8_30'] %}
        returns.is_active_{{ name }},
        {%- endfor %}
        returns.last_active_days
    from entries
    inner join as_of on entries.entry_on <= as_of.as_of
    left join purchases on entries.customer_id = purchases.customer_id
    left join returns on entries.customer_id = returns.customer_id and entries.entry_event = returns.entry_event
),

-- The last answer of a month counts; somebody unknown is somebody else each time. Only scales of 0 to 10 are compared.
answers as (
    select
        feedback.customer_id,
        {{ month_of('feedback.feedback_on') }} as month_on,
        feedback.feedback_kind,
        feedback.status,
        feedback.score,
        feedback.scale_max,
        customers.is_identified,
        {%- for hours, moment in {'first_response_hours': 'first_response_at', 'resolution_hours': 'resolved_at'}.items() %}
        case
            when feedback.feedback_kind = 'ticket' and {{ local_day('feedback.' ~ moment) }} <= as_of.as_of
                then {{ seconds_between('feedback.feedback_at', 'feedback.' ~ moment) }} / 3600.0
        end as {{ hours }},
        {%- endfor %}
        case when feedback.is_nps then row_number() over (
            partition by
                feedback.is_nps, {{ month_of('feedback.feedback_on') }}, feedback.customer_id,
                case when feedback.customer_id = '-1' then feedback.feedback_key end
            order by feedback.feedback_at desc nulls last, feedback.feedback_key desc nulls last
        ) end as nps_rank
    from (
        select *, feedback_kind = 'nps' and coalesce(scale_max = 10 and score between 0 and 10, false) as is_nps
        from {{ ref('fct_feedback') }} where not is_test
    ) as feedback
    inner join as_of on feedback.feedback_on <= as_of.as_of
    inner join customers on feedback.customer_id = customers.customer_id
),

-- A friend whom several invite joins once, for the first who did. Whoever was registered before is no new one.
invites as (
    select
        referrals.referrer_customer_id as customer_id,
        case when referrals.invited_on <= as_of.as_of then {{ month_of('referrals.invited_on') }} end as month_on,
        coalesce(referrals.joined_on <= as_of.as_of, false) and row_number() over (
            partition by case when referrals.referee_customer_id = '-1' then referrals.referral_key else referrals.referee_customer_id end
            order by referrals.invited_at asc nulls last, referrals.referral_key asc nulls last
        ) = 1 as is_joined,
        successes.succeeded_on
    from (
        select
            referrals.*,
            coalesce(referrals.registered_on, case when referee.registered_on >= referrals.invited_on then referee.registered_on end)
                as joined_on
        from {{ ref('fct_referral') }} as referrals
        inner join customers as referee on referrals.referee_customer_id = referee.customer_id
        where not referrals.is_test and not referrals.is_self_referral
    ) as referrals
    cross join as_of
    inner join customers on referrals.referrer_customer_id = customers.customer_id and customers.is_identified
    left join {{ ref('int_lifecycle__referral_successes') }} as successes
        on
            referrals.referral_key = successes.referral_key
            and successes.known_from <= as_of.as_of
            and coalesce(successes.known_to, cast('9999-12-31' as date)) > as_of.as_of
),

parts as (
    {{ person_part_rows() }}
),

final as (
    select
        cast(customer_id as string) as customer_id,
        month_on,
        cast(part as string) as part,
        cast(sum(cast(round(amount, 6) as decimal(18, 6))) as decimal(18, 6)) as amount
    from parts
    group by customer_id, month_on, part
)

select * from final
