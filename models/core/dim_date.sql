-- One row per day from the earliest plausible one to the end of 2050, in the calendar of the business time zone.
{%- set first_on = modules.datetime.date.fromisoformat(setting('earliest_plausible_on') | string) %}
{%- set day_count = (modules.datetime.date(2050, 12, 31) - first_on).days + 1 %}
with

days as (
    select {{ days_later("date '" ~ first_on ~ "'", 'd.n') }} as date_on
    from range({{ day_count }}) as d (n)
),

weeks as (
    select
        date_on,
        cast(date_trunc('week', date_on) as date) as week_on,
        cast(date_trunc('month', date_on) as date) as month_on
    from days
),

final as (
    select
        date_on,
        cast(extract(year from date_on) as bigint) as year_number,
        cast(extract(quarter from date_on) as bigint) as quarter_number,
        cast(extract(month from date_on) as bigint) as month_number,
        month_on,
        week_on,
        -- An ISO week belongs to the year of its Thursday.
        cast(extract(year from cast(week_on + 3 as date)) as bigint) as iso_year,
        cast(extract(week from date_on) as bigint) as iso_week,
        cast({{ days_between('week_on', 'date_on') }} + 1 as bigint) as iso_weekday,
        date_on = cast(last_day(date_on) as date) as is_month_end
    from weeks
)

select * from final
