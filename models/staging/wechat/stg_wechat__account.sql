-- One row per landed version of a follower or of a mini-program user.
-- A person is a follower of each account and a user of each program apart; the unionid joins them, in the identity layer.
with

followers as (
    select * from {{ landed('wechat', 'followers') }}
),

users as (
    select * from {{ landed('wechat', 'mini_program_users') }}
),

of_followers as (
    select
        openid as source_record_id,
        -- following is no registration
        cast(null as string) as registered_at,
        {{ ts_from_epoch_s('subscribe_time') }} as created_at,
        'follower' as account_kind,
        ids,
        nickname as name,
        {{ gender_text('sex') }} as gender,
        country,
        province,
        city,
        cast(null as string) as phone_raw,
        subscribe_scene as first_channel_raw,
        case trim(subscribe) when '1' then 'subscribed' when '0' then 'unsubscribed' else subscribe end as subscribe_status,
        {{ ts_from_epoch_s('unsubscribe_time') }} as unsubscribed_at,
        synced_at as loaded_at,
        {{ lineage('wechat', 'followers') }}
    from followers
),

of_users as (
    select
        openid as source_record_id,
        phone_authorised_at as registered_at,
        created_at,
        case when phone_number is not null then 'member' else 'lead' end as account_kind,
        ids,
        nickname as name,
        {{ gender_text('gender') }} as gender,
        cast(null as string) as country,
        cast(null as string) as province,
        cast(null as string) as city,
        phone_number as phone_raw,
        cast(null as string) as first_channel_raw,
        cast(null as string) as subscribe_status,
        cast(null as string) as unsubscribed_at,
        synced_at as loaded_at,
        {{ lineage('wechat', 'mini_program_users') }}
    from users
),

final as (
    select 'wechat' as source_system, of_followers.* from of_followers
    union all
    select 'wechat' as source_system, of_users.* from of_users
)

select * from final
