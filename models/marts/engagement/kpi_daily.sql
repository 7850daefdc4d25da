-- One row per day, metric and channel of the last 400 days: the value, its means of 7 and 28 days, and how unusual it is.
-- Normal is what the 28 days before the day were, promotions left out: their median, and the median distance from it, or
-- the mean one where more than half of them are equal. With fewer than 7 such days, or no distance at all, nothing is said.
-- A day is unusual from a robust z of 3.5 on, unless it is a promotion or counts of this size differ so much by chance.
-- A ratio is sum by sum, in the means too. Channels on which a metric never moved have no rows.
{{ require_promotions() }}
{%- set metrics = {
    'dau': ('dau_count', none),
    'sessions': ('session_count', none),
    'session_seconds': ('session_seconds', 'session_count'),
    'views': ('view_count', none),
    'impressions': ('impression_count', none),
    'clicks': ('click_count', none),
    'ctr': ('click_count', 'impression_count'),
    'registrations': ('registration_count', none),
    'leads': ('lead_count', none),
    'new_customers': ('new_buyer_count', none),
    'orders': ('order_count', none),
    'net_sales': ('net_sales_amount', none),
    'aov': ('net_sales_amount', 'rated_order_count'),
} %}
{%- set counts = metrics.items() | selectattr('1.1', 'none') | map('first') | reject('equalto', 'net_sales') | list %}
{%- set series_of = 'partition by stated.metric_code, stated.channel_code order by stated.day_on asc nulls last' %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

-- 28 days more than are kept, so that the first ones have something to be compared with.
activity as (
    select activity.*
    from {{ ref('activity_daily') }} as activity
    inner join as_of on {{ days_between('activity.day_on', 'as_of.as_of') }} < 428
),

promotions as (
    select distinct dates.date_on as day_on
    from {{ ref('promo_calendar') }} as promotions
    inner join {{ ref('dim_date') }} as dates
        on cast(promotions.starts_on as date) <= dates.date_on and cast(promotions.ends_on as date) >= dates.date_on
),

stated as (
    {%- for metric_code, (numerator, denominator) in metrics.items() %}
    select
        day_on, channel_code, '{{ metric_code }}' as metric_code, {{ metric_code in counts }} as is_count,
        cast({{ numerator }} as decimal(18, 4)) as numerator, cast({{ denominator or '1' }} as decimal(18, 4)) as denominator
    from activity
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

moving as (
    select channel_code, metric_code from stated
    group by channel_code, metric_code
    having max(abs(numerator)) > 0 or channel_code = 'all'
),

series as (
    select
        stated.*,
        {%- for days in [7, 28] %}
        {%- set window = series_of ~ ' rows between ' ~ (days - 1) ~ ' preceding and current row' %}
        case
            when count(stated.numerator) over ({{ window }}) = {{ days }}
                then cast(
                    cast(sum(stated.numerator) over ({{ window }}) as double)
                    / nullif(cast(sum(stated.denominator) over ({{ window }}) as double), 0) as decimal(18, 6)
                )
        end as mean_{{ days }}d_value,
        {%- endfor %}
        promotions.day_on is not null as is_promotion,
        cast(cast(stated.numerator as double) / nullif(cast(stated.denominator as double), 0) as decimal(18, 6)) as metric_value
    from stated
    inner join moving on stated.channel_code = moving.channel_code and stated.metric_code = moving.metric_code
    left join promotions on stated.day_on = promotions.day_on
),

-- Each normal day is handed to the 28 days after it, which is cheaper than joining every day with those before it.
normal as (
    select
        series.metric_code,
        series.channel_code,
        {{ days_later('series.day_on', 'later.days + 1') }} as day_on,
        cast(series.metric_value as double) as metric_value
    from series
    cross join range(28) as later (days)
    where not series.is_promotion and series.metric_value is not null
),

medians as (
    select metric_code, channel_code, day_on, median(metric_value) as median_value
    from normal
    group by metric_code, channel_code, day_on
    having count(*) >= 7
),

distances as (
    select
        normal.metric_code,
        normal.channel_code,
        normal.day_on,
        min(medians.median_value) as median_value,
        median(abs(normal.metric_value - medians.median_value)) as median_distance,
        cast(avg(cast(round(abs(normal.metric_value - medians.median_value), 6) as decimal(18, 6))) as double) as mean_distance
    from normal
    inner join medians
        on normal.metric_code = medians.metric_code and normal.channel_code = medians.channel_code and normal.day_on = medians.day_on
    group by normal.metric_code, normal.channel_code, normal.day_on
),

-- 0.6745 and 0.7979 make a normal distribution's median and mean distance from the middle one standard deviation.
judged as (
    select
        series.*,
        distances.median_value,
        distances.median_distance,
        coalesce(
            0.6745 * (cast(series.metric_value as double) - distances.median_value) / nullif(distances.median_distance, 0),
            0.7979 * (cast(series.metric_value as double) - distances.median_value) / nullif(distances.mean_distance, 0)
        ) as robust_z
    from series
    left join distances
        on
            series.metric_code = distances.metric_code
            and series.channel_code = distances.channel_code
            and series.day_on = distances.day_on
),

final as (
    select
        judged.day_on,
        cast(judged.metric_code as string) as metric_code,
        cast(judged.channel_code as string) as channel_code,
        judged.metric_value,
        judged.mean_7d_value,
        judged.mean_28d_value,
        cast(judged.median_value as decimal(18, 6)) as normal_value,
        cast(judged.robust_z as decimal(18, 6)) as robust_z,
        case
            when judged.robust_z is null then null
            when judged.is_promotion then false
            when judged.is_count
                then
                    abs(judged.robust_z) >= 3.5
                    and abs(cast(judged.metric_value as double) - judged.median_value) > 3 * sqrt(greatest(judged.median_value, 1))
            else abs(judged.robust_z) >= 3.5 and judged.median_distance > 0
        end as is_anomaly,
        judged.is_promotion
    from judged
    inner join as_of on {{ days_between('judged.day_on', 'as_of.as_of') }} < 400
)

select * from final
