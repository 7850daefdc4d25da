-- One row per run: the day that everything is looked at from, given or the last complete business day in the landed facts.
-- The newest day counts as complete once its loader says that it read rows after that day had ended.
with

moments as (
    select
        ordered_at as happened_at,
        loaded_at
    from {{ ref('unified_order_header') }}
    where not is_deleted

    union all

    select
        event_at as happened_at,
        loaded_at
    from {{ ref('unified_event') }}
    where not is_deleted
),

newest as (
    select
        {{ local_day('max(happened_at)') }} as fact_on,
        {{ local_day('max(loaded_at)') }} as loaded_on
    from moments
),

final as (
    select
        -- Nothing landed yet: the earliest plausible day, on which every mart is empty.
        coalesce(
            {{ "cast(" ~ setting_text('as_of') ~ " as date)" if setting('as_of') is not none else "cast(null as date)" }},
            case when loaded_on > fact_on then fact_on else cast(fact_on - 1 as date) end,
            cast({{ setting_text('earliest_plausible_on') }} as date)
        ) as as_of,
        {{ 'true' if setting('as_of') is not none else 'false' }} as is_given
    from newest
)

select * from final
