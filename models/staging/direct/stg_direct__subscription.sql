-- One row per landed record of subscription, which arrives in the shape of the input contract.
with

records as (
    select * from {{ landed('direct', 'subscription') }}
),

final as (
    select
        source_system,
        source_record_id,
        account_ref,
        plan,
        status,
        start_at,
        trial_start,
        trial_end,
        current_period_end,
        cancelled_at,
        ended_at,
        end_reason,
        mrr,
        currency,
        seats,
        previous_ref,
        loaded_at,
        updated_at,
        is_deleted,
        business_unit,
        extra,
        {{ lineage('direct', 'subscription') }}
    from records
)

select * from final
