-- One row per account that is not deleted, with its customer.
with

accounts as (
    select * from {{ ref('unified_account') }} where not is_deleted
),

final as (
    select
        a.source_system,
        a.source_record_id,
        coalesce(person.customer_id, '-1') as customer_id,
        a.account_kind,
        a.registered_at,
        a.created_at,
        a.updated_at,
        a.loaded_at,
        a.first_channel_raw,
        a.first_campaign_raw,
        coalesce(a.is_test, false) as is_test
    from accounts as a
    {{ join_person('a', 'account') }}
)

select * from final
