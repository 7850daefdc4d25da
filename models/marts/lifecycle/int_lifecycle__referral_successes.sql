-- One row per referral and stretch of days on which it is known to have succeeded: with the friend's first valid order, or the
-- one that the referral names. A refund of that order may end the success, or leave it with a later order.
with

referrals as (
    select
        referrals.referral_key,
        referrals.referrer_customer_id,
        referrals.referee_customer_id,
        referrals.converted_order_key,
        referrals.invited_at
    from {{ ref('fct_referral') }} as referrals
    where not referrals.is_test and not referrals.is_self_referral and referrals.referrer_customer_id <> '-1'
),

orders as (
    select
        fct_order.order_key,
        fct_order.customer_id,
        fct_order.ordered_at,
        fct_order.valid_from_on,
        case when fct_order.valid_to_on <= as_of.as_of then fct_order.valid_to_on end as valid_to_on
    from {{ ref('fct_order') }} as fct_order
    cross join {{ ref('int_core__as_of') }} as as_of
    where fct_order.valid_from_on <= as_of.as_of
),

-- What may make a referral succeed: any order of the friend, and the one that the referral names.
candidates as (
    select referrals.referral_key, referrals.referrer_customer_id, referrals.invited_at, orders.*
    from referrals
    inner join orders on referrals.referee_customer_id = orders.customer_id
    where referrals.referee_customer_id <> '-1'
    union
    select referrals.referral_key, referrals.referrer_customer_id, referrals.invited_at, orders.*
    from referrals
    inner join orders on referrals.converted_order_key = orders.order_key
),

placed as (
    select
        candidates.*,
        row_number() over (partition by referral_key order by ordered_at nulls last, order_key nulls last) as place,
        min(case when valid_to_on is null then valid_from_on end) over (
            partition by referral_key order by ordered_at nulls last, order_key nulls last
            rows between unbounded preceding and 1 preceding
        ) as superseded_on
    from candidates
),

-- Only an order that nothing earlier outlasts is ever the first one.
firsts as (
    select * from placed where superseded_on is null or valid_from_on < superseded_on
),

turns as (
    select referral_key, valid_from_on as day_on from firsts
    union
    select referral_key, valid_to_on as day_on from firsts where valid_to_on is not null
),

known as (
    select
        turns.referral_key,
        turns.day_on,
        min(firsts.place) as place
    from turns
    left join firsts
        on
            turns.referral_key = firsts.referral_key
            and turns.day_on >= firsts.valid_from_on
            and turns.day_on < coalesce(firsts.valid_to_on, cast('9999-12-31' as date))
    group by turns.referral_key, turns.day_on
),

pieces as (
    select
        known.*,
        lead(day_on) over (partition by referral_key order by day_on nulls last) as next_day_on
    from known
),

-- A friend who had bought before being invited is no success.
final as (
    select
        pieces.referral_key,
        firsts.referrer_customer_id as customer_id,
        firsts.valid_from_on as succeeded_on,
        pieces.day_on as known_from,
        pieces.next_day_on as known_to
    from pieces
    inner join firsts on pieces.referral_key = firsts.referral_key and pieces.place = firsts.place
    where firsts.invited_at is null or firsts.ordered_at >= firsts.invited_at
)

select * from final
