-- One row per landed version of a member.
with

members as (
    select * from {{ landed('crm', 'members') }}
),

final as (
    select
        'crm' as source_system,
        member_no as source_record_id,
        {{ ts_from_slashes('registered_at') }} as registered_at,
        {{ ts_from_slashes('registered_at') }} as created_at,
        'member' as account_kind,
        ids,
        name,
        {{ gender_text('gender') }} as gender,
        {{ ts_from_slashes('birthday') }} as birth_date,
        province,
        city,
        mobile as phone_raw,
        email as email_raw,
        level_code,
        advisor as advisor_ref,
        register_channel as first_channel_raw,
        register_campaign as first_campaign_raw,
        referrer_code,
        is_test,
        {{ ts_from_slashes('updated_at') }} as updated_at,
        case when tags is not null then {{ json_with("'{}'", 'crm', {'tags': 'tags'}) }} end as extra,
        {{ lineage('crm', 'members') }}
    from members
)

select * from final
