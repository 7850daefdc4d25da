-- One row per consent, objection or request of a data subject.
with

requests as (
    select
        p.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(person.is_test, false) as is_test
    from {{ ref('unified_privacy_event') }} as p
    {{ join_person('p', 'privacy_event') }}
    where not p.is_deleted
),

final as (
    select
        {{ record_key('r') }} as privacy_event_key,
        r.source_system,
        r.customer_id,
        r.event_at,
        {{ local_day('r.event_at') }} as event_on,
        r.action,
        r.purpose,
        r.channel,
        r.basis,
        r.due_at,
        r.is_test
    from requests as r
)

select * from final
