-- One row per landed statement of the staff that two identifiers are, or are not, one person.
with

manual_links as (
    select * from {{ landed('crm', 'manual_links') }}
),

final as (
    select
        'crm' as source_system,
        link_id as source_record_id,
        {{ ts_from_slashes('linked_at') }} as link_at,
        action,
        left_type,
        left_scope,
        left_value,
        right_type,
        right_scope,
        right_value,
        reason as evidence,
        {{ lineage('crm', 'manual_links') }}
    from manual_links
)

select * from final
