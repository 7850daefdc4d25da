-- One row per answer, review, post or ticket. An empty status on what customers publish means approved.
with

feedback as (
    select
        f.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(person.is_test, false) as is_test,
        {{ ref_key('f', 'order_ref') }} as order_key,
        {{ ref_key('f', 'product_ref') }} as product_key
    from {{ ref('unified_feedback') }} as f
    {{ join_person('f', 'feedback') }}
    {{ join_ref('f', 'order_ref', 'order_header') }}
    {{ join_ref('f', 'product_ref', 'product') }}
    where not f.is_deleted
),

final as (
    select
        {{ record_key('f') }} as feedback_key,
        f.source_system,
        f.customer_id,
        f.feedback_at,
        {{ local_day('f.feedback_at') }} as feedback_on,
        f.feedback_kind,
        cast(f.score as decimal(18, 4)) as score,
        cast(f.scale_max as decimal(18, 4)) as scale_max,
        case when f.feedback_kind in ('ugc', 'review') then coalesce(f.status, 'approved') else f.status end as status,
        f.order_key,
        f.product_key,
        f.first_response_at,
        f.resolved_at,
        cast(f.reach as bigint) as reach,
        f.wave,
        f.stage_tag,
        f.is_test
    from feedback as f
)

select * from final
