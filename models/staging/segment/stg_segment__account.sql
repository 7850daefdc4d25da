-- One row per landed call that says who somebody is; a login keeps its newest call, the older ones stay as versions.
-- Before anybody logs in the account is the cookie: a lead once it has left an address or a number, else a device.
with

identifies as (
    select * from {{ landed('segment', 'identifies') }}
),

final as (
    select
        'segment' as source_system,
        case when trim(user_id) <> '' then user_id else 'anonymous-' || anonymous_id end as source_record_id,
        case when trim(user_id) <> '' then created_at end as registered_at,
        created_at,
        case
            when trim(user_id) <> '' then 'member'
            when email is not null or phone is not null then 'lead'
            else 'device'
        end as account_kind,
        ids,
        name,
        {{ gender_text('gender') }} as gender,
        {{ ts_from_slashes('birthday') }} as birth_date,
        country,
        province,
        city,
        phone as phone_raw,
        email as email_raw,
        uuid_ts as loaded_at,
        identifies.timestamp as updated_at,
        {{ lineage('segment', 'identifies') }}
    from identifies
)

select * from final
