-- One row per customer and as_of: recency, frequency and money, their scores, and the class in two schemes.
-- Customers with a valid order ever, as known on as_of. Equal values get equal scores. A one-time buyer can be neither
-- champion nor loyal, however much money the one order brought.
with

customer_values as (
    select * from {{ ref('int_rfm__customer_values') }}
),

cuts as (
    select
        as_of
        {%- for dimension in ['recency', 'frequency', 'monetary'] %}
        {%- for cut in range(1, 5) %},
        max(case when dimension = '{{ dimension }}' and cut_number = {{ cut }} then cut_value end)
            as {{ dimension }}_cut_{{ cut }}
        {%- endfor %}{% endfor %}
    from {{ ref('rfm_cutpoint') }}
    group by as_of
),

grid as (
    select r_score, fm_score, western_class from {{ ref('rfm_grid') }}
),

classes as (
    select class_scheme, class_code, r_level, f_level, m_level, label_zh from {{ ref('rfm_class') }}
),

scored as (
    select
        customer_values.*,
        cuts.as_of,
        customer_values.order_count = 1 as is_one_time_buyer,
        6 - ({{ rfm_score('customer_values.recency_days', 'recency') }}) as r_score,
        case when customer_values.frequency = 0 then 1 else {{ rfm_score('customer_values.frequency', 'frequency') }} end
            as f_score,
        case when customer_values.frequency = 0 then 1 else {{ rfm_score('customer_values.monetary_amount', 'monetary') }} end
            as m_score
    from customer_values
    inner join cuts on customer_values.day_on = cuts.as_of
),

population as (
    select
        as_of,
        count(*) as customers,
        sum(r_score) as r_sum,
        sum(f_score) as f_sum,
        sum(m_score) as m_sum,
        median(r_score) as r_median,
        median(f_score) as f_median,
        median(m_score) as m_median
    from scored
    group by as_of
),

judged as (
    select
        scored.*,
        {{ rfm_is_high('r') }} as is_r_high,
        {{ rfm_is_high('f') }} as is_f_high,
        {{ rfm_is_high('m') }} as is_m_high,
        least(
            {% if setting('rfm_axis') == 'f' -%} scored.f_score
            {%- else -%} cast(floor((scored.f_score + scored.m_score + 1) / 2.0) as bigint) {%- endif %},
            case when scored.is_one_time_buyer then 2 else 5 end
        ) as fm_score
    from scored
    inner join population on scored.as_of = population.as_of
),

final as (
    select
        cast(judged.customer_id as string) as customer_id,
        cast(judged.as_of as date) as as_of,
        cast(judged.last_order_on as date) as last_order_on,
        cast(judged.recency_days as bigint) as recency_days,
        cast(judged.frequency as bigint) as frequency,
        cast(judged.monetary_amount as decimal(18,4)) as monetary_amount,
        cast({{ setting_text('reporting_currency') }} as string) as currency,
        cast(judged.order_count as bigint) as order_count,
        judged.is_one_time_buyer,
        judged.frequency > 0 as is_in_window,
        cast(judged.r_score as bigint) as r_score,
        cast(judged.f_score as bigint) as f_score,
        cast(judged.m_score as bigint) as m_score,
        cast(judged.fm_score as bigint) as fm_score,
        judged.is_r_high,
        judged.is_f_high,
        judged.is_m_high,
        cast(chinese.class_code as string) as chinese_class,
        cast(chinese.label_zh as string) as chinese_class_zh,
        cast(western.class_code as string) as western_class,
        cast(western.label_zh as string) as western_class_zh
    from judged
    inner join classes as chinese
        on
            chinese.class_scheme = 'chinese'
            and chinese.r_level = case when judged.is_r_high then 'high' else 'low' end
            and chinese.f_level = case when judged.is_f_high then 'high' else 'low' end
            and chinese.m_level = case when judged.is_m_high then 'high' else 'low' end
    left join grid on judged.r_score = grid.r_score and judged.fm_score = grid.fm_score
    left join classes as western
        on western.class_scheme = 'western' and grid.western_class = western.class_code
)

select * from final
