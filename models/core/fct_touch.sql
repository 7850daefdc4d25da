-- One row per contact with a person: what was sent, to whom, and what came back.
with

touches as (
    select
        t.*,
        coalesce(person.customer_id, '-1') as customer_id,
        coalesce(person.is_test, false) as is_test,
        {{ ref_key('t', 'campaign_ref') }} as campaign_key
    from {{ ref('unified_touch') }} as t
    {{ join_person('t', 'touch') }}
    {{ join_ref('t', 'campaign_ref', 'campaign') }}
    where not t.is_deleted
),

final as (
    select
        {{ record_key('t') }} as touch_key,
        t.source_system,
        t.customer_id,
        t.touched_at,
        {{ local_day('t.touched_at') }} as touched_on,
        t.touch_kind,
        t.channel,
        t.campaign_key,
        t.experiment_ref,
        -- An empty arm on a holdout row is the holdout.
        case when t.touch_kind = 'holdout' then coalesce(t.variant, 'holdout') else t.variant end as variant,
        t.message_ref,
        {{ as_money('t.unit_cost') }} as unit_cost_amount,
        coalesce(t.is_automated, false) as is_automated,
        t.trigger_at,
        t.is_test
    from touches as t
)

select * from final
