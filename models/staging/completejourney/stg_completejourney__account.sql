-- One row per landed household that answered the survey; the others are known from their baskets alone.
with

demographics as (
    select * from {{ landed('completejourney', 'demographics') }}
),

final as (
    select
        'completejourney' as source_system,
        household_id as source_record_id,
        'member' as account_kind,
        ids,
        {{ json_with("'{}'", 'survey', {
            'age': 'age', 'income': 'income', 'home_ownership': 'home_ownership', 'marital_status': 'marital_status',
            'household_size': 'household_size', 'household_comp': 'household_comp', 'kids_count': 'kids_count',
        }) }} as extra,
        {{ lineage('completejourney', 'demographics') }}
    from demographics
)

select * from final
