-- One row per referral, with both people. Whether it succeeded depends on the day that is looked at and is decided in the marts.
with

referrals as (
    select
        r.*,
        person.customer_id as referee_customer_id,
        coalesce(person.is_test, false) as is_test_referee,
        {{ ref_key('r', 'converted_order_ref') }} as converted_order_key
    from {{ ref('unified_referral') }} as r
    {{ join_person('r', 'referral') }}
    {{ join_ref('r', 'converted_order_ref', 'order_header') }}
    where not r.is_deleted
),

named as (
    select
        r.*,
        coalesce(person.customer_id, '-1') as referrer_customer_id,
        r.is_test_referee or coalesce(person.is_test, false) as is_test
    from referrals as r
    {{ join_person('r', 'referrer') }}
),

final as (
    select
        {{ record_key('n') }} as referral_key,
        n.source_system,
        n.referrer_customer_id,
        coalesce(n.referee_customer_id, '-1') as referee_customer_id,
        coalesce(n.referrer_customer_id <> '-1' and n.referrer_customer_id = n.referee_customer_id, false) as is_self_referral,
        n.code,
        n.invited_at,
        {{ local_day('n.invited_at') }} as invited_on,
        n.registered_at,
        {{ local_day('n.registered_at') }} as registered_on,
        n.converted_order_key,
        n.reward_ref,
        cast(n.level as bigint) as level,
        n.is_test
    from named as n
)

select * from final
