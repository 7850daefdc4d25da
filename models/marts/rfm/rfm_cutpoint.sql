-- One row per as_of, dimension and cut number: the cut points by which customer_rfm scores that day.
-- Stored, so that a score can be explained and rebuilt. A frozen quarter that had no customers yet falls back on the day.
{{ require_fixed_cuts() }}
with

days as (
    select as_of, {{ rfm_cut_day('as_of') }} as cut_on from {{ ref('int_calendar__stored_days') }}
),

quantile_cuts as (
    select * from {{ ref('int_rfm__quantile_cuts') }}
),

own_cuts as (
    select days.as_of, days.cut_on, quantile_cuts.*
    from days
    inner join quantile_cuts on days.as_of = quantile_cuts.day_on
),

{% if setting('rfm_method') == 'fixed' -%}
config as (
    select dimension, cut_number, cut_value from {{ ref('rfm_config') }}
    where config_name = {{ setting_text('rfm_config_name') }}
),

chosen as (
    select
        own_cuts.as_of,
        own_cuts.dimension,
        own_cuts.cut_number,
        config.cut_value,
        own_cuts.as_of as cut_on,
        own_cuts.ranked_customer_count
    from own_cuts
    inner join config on own_cuts.dimension = config.dimension and own_cuts.cut_number = config.cut_number
),

{%- else -%}
chosen as (
    select
        own_cuts.as_of,
        own_cuts.dimension,
        own_cuts.cut_number,
        coalesce(frozen.cut_value, own_cuts.cut_value) as cut_value,
        coalesce(frozen.day_on, own_cuts.day_on) as cut_on,
        coalesce(frozen.ranked_customer_count, own_cuts.ranked_customer_count) as ranked_customer_count
    from own_cuts
    left join quantile_cuts as frozen
        on
            own_cuts.cut_on = frozen.day_on
            and own_cuts.dimension = frozen.dimension
            and own_cuts.cut_number = frozen.cut_number
),

{%- endif %}

final as (
    select
        cast(as_of as date) as as_of,
        cast(dimension as string) as dimension,
        cast(cut_number as bigint) as cut_number,
        cast(cut_value as decimal(20,6)) as cut_value,
        cast('{{ setting('rfm_method') }}' as string) as rfm_method,
        cast(cut_on as date) as cut_on,
        cast(ranked_customer_count as bigint) as ranked_customer_count
    from chosen
)

select * from final
