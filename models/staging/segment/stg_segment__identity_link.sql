-- One row per landed call in which a login was made in a browser or app that had an anonymous id before.
-- The record itself is the account's; here it gives its second meaning, so it is not counted again.
with

identifies as (
    select * from {{ landed('segment', 'identifies') }}
),

final as (
    select
        'segment' as source_system,
        id as source_record_id,
        identifies.timestamp as link_at,
        'login' as action,
        'anonymous_id' as left_type,
        'segment' as left_scope,
        anonymous_id as left_value,
        'member_id' as right_type,
        'segment' as right_scope,
        user_id as right_value,
        'identify call' as evidence,
        uuid_ts as loaded_at,
        {{ lineage('segment', 'identifies', is_primary=false) }}
    from identifies
    where trim(user_id) <> '' and trim(anonymous_id) <> ''
)

select * from final
