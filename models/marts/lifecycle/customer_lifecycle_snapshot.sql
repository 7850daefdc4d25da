-- One row per customer, model and day, of the last 35 days and every month end up to as_of: the stage on that day. A view, also in
-- the published file, so that it costs nothing until it is read; any other day is one comparison on the intervals away.
with

-- The newest day counted is as_of; a published view reads published tables only.
as_of as (
    select max(as_of) as as_of from {{ ref('lifecycle_stage_monthly') }}
),

days as (
    select
        dim_date.date_on as as_of,
        dim_date.is_month_end
    from {{ ref('dim_date') }} as dim_date
    cross join as_of
    where
        dim_date.date_on <= as_of.as_of
        and (dim_date.is_month_end or {{ days_between('dim_date.date_on', 'as_of.as_of') }} < 35)
),

final as (
    select
        intervals.customer_id,
        intervals.model_code,
        days.as_of,
        days.is_month_end,
        intervals.business_type,
        intervals.stage_code,
        intervals.stage_rank,
        intervals.sub_stage_code,
        intervals.sub_stage_label_en,
        intervals.sub_stage_label_zh,
        intervals.previous_stage_code,
        intervals.is_lost,
        intervals.is_dormant,
        intervals.was_high_value,
        intervals.cycle_number
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    inner join days
        on days.as_of >= intervals.valid_from and days.as_of < coalesce(intervals.valid_to, cast('9999-12-31' as date))
)

select * from final
