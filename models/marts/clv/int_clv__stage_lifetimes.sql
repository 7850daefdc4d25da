-- One row per lifecycle stage: the years that a buyer who enters it is expected to stay, at most 5.
-- Kaplan-Meier over the days from entering the stage, or from the first order, to being lost, whatever stages lie between; who is
-- not lost by as_of is censored there. The yearly hazard is that of the first year, or of as much of it as anybody was watched,
-- and where all were lost half a survivor is left. A stage that fewer than 30 entered takes the hazard of all stages.
{%- set discounted = [] %}
{%- for middle in [0.5, 1.5, 2.5, 3.5, 4.5] %}
{%- do discounted.append('exp(-' ~ middle ~ ' * (annual_hazard + ln(1 + ' ~ setting('clv_annual_discount_rate') ~ ')))') %}
{%- endfor %}
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

stages as (
    select stage_code from {{ ref('lifecycle_stage') }}
    where model_code = 'maturity5'
),

buyers as (
    select customer_values.customer_id, customer_values.first_order_on
    from {{ ref('int_clv__customer_values') }} as customer_values
    inner join as_of on customer_values.as_of = as_of.as_of
    where customer_values.order_count > 0
),

intervals as (
    select
        customer_id,
        stage_code,
        is_lost,
        valid_from,
        valid_to,
        lag(stage_code) over (partition by customer_id order by valid_from nulls last) as earlier_stage_code,
        min(case when is_lost then valid_from end) over (
            partition by customer_id order by valid_from nulls last rows between 1 following and unbounded following
        ) as lost_on
    from {{ ref('customer_lifecycle_intervals') }}
    where model_code = 'maturity5'
),

entries as (
    select
        intervals.stage_code,
        intervals.lost_on is not null as is_event,
        {{ days_between('greatest(intervals.valid_from, buyers.first_order_on)', 'coalesce(intervals.lost_on, as_of.as_of)') }}
            as days_watched
    from intervals
    inner join buyers on intervals.customer_id = buyers.customer_id
    cross join as_of
    where
        not intervals.is_lost
        and (intervals.valid_to is null or intervals.valid_to > buyers.first_order_on)
        -- An interval that only continues its stage is no entry, unless the first order lies in it.
        and (
            intervals.earlier_stage_code is null
            or intervals.earlier_stage_code <> intervals.stage_code
            or intervals.valid_from <= buyers.first_order_on
        )
),

cohorts as (
    select stage_code, is_event, days_watched from entries
    union all
    select '*' as stage_code, is_event, days_watched from entries
),

curves as (
    select
        stage_code,
        days_watched,
        sum(case when is_event then 1 else 0 end) as lost_count,
        sum(count(*)) over (partition by stage_code order by days_watched desc nulls last) as at_risk_count
    from cohorts
    group by stage_code, days_watched
),

survival as (
    select
        stage_code,
        max(at_risk_count) as entry_count,
        least(max(days_watched), 365) as horizon_days,
        -- Decimals add up to the same in any order.
        cast(sum(case
            when days_watched <= 365
                then cast(ln(greatest(cast(at_risk_count - lost_count as double), 0.5) / nullif(at_risk_count, 0)) as decimal(28,15))
            else 0
        end) as double) as log_survival
    from curves
    group by stage_code
),

hazards as (
    select
        stage_code,
        entry_count,
        -log_survival * 365.25 / nullif(horizon_days, 0) as annual_hazard
    from survival
),

known as (
    select
        stages.stage_code,
        own.entry_count,
        coalesce(own.annual_hazard, everybody.annual_hazard) as annual_hazard
    from stages
    left join hazards as own on stages.stage_code = own.stage_code and own.entry_count >= 30
    left join hazards as everybody on everybody.stage_code = '*'
),

final as (
    select
        cast(stage_code as string) as stage_code,
        cast(entry_count as bigint) as entry_count,
        cast(annual_hazard as decimal(18,6)) as annual_hazard,
        cast(case
            when stage_code = 'lost' then 0
            when annual_hazard <= 0.2 then 5
            else 1 / nullif(annual_hazard, 0)
        end as decimal(18,6)) as expected_years,
        -- Each year's survivors and money at its middle.
        cast(case
            when stage_code = 'lost' then 0
            else {{ discounted | join(' + ') }}
        end as decimal(18,6)) as discounted_years
    from known
)

select * from final
