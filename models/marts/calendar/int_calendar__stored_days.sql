-- One row per day for which the customer marts keep rows: as_of and the month ends before it.
-- Any other past day is one run with `--as-of` away; the number of month ends is the setting snapshot_month_ends.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

month_ends as (
    select date_on from {{ ref('dim_date') }}
    where is_month_end
),

final as (
    select cast(as_of as date) as as_of, true as is_latest from as_of
    union all
    select cast(month_ends.date_on as date) as as_of, false as is_latest
    from month_ends
    inner join as_of
        on
            month_ends.date_on < as_of.as_of
            and {{ months_between('month_ends.date_on', 'as_of.as_of') }} <= {{ setting('snapshot_month_ends') }}
)

select * from final
