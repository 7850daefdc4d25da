-- One row per entry of the benefit ledger: points, coupons, levels, commission, balance, gifts.
with

entries as (
    select
        b.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(person.is_test, false) as is_test,
        {{ ref_key('b', 'order_ref') }} as order_key,
        {{ ref_key('b', 'campaign_ref') }} as campaign_key
    from {{ ref('unified_benefit') }} as b
    {{ join_person('b', 'benefit') }}
    {{ join_ref('b', 'order_ref', 'order_header') }}
    {{ join_ref('b', 'campaign_ref', 'campaign') }}
    where not b.is_deleted
),

final as (
    select
        {{ record_key('b') }} as benefit_key,
        b.source_system,
        b.customer_id,
        b.entry_at,
        {{ local_day('b.entry_at') }} as entry_on,
        b.benefit_kind,
        b.entry_kind,
        b.programme,
        {{ as_money('b.amount') }} as amount,
        {{ as_money('b.cash_value') }} as cash_value_amount,
        b.order_key,
        b.campaign_key,
        b.code,
        b.expires_at,
        b.level_from,
        b.level_to,
        b.is_test
    from entries as b
)

select * from final
