-- One row per channel code: those of the seed, those that only occur in the data, and `unattributed`.
with

mapped as (
    select
        channel_code,
        min(channel_group) as channel_group,
        min(label_en) as label_en,
        min(label_zh) as label_zh
    from {{ ref('channel_map') }}
    group by channel_code
),

seen as (
    select channel_code from {{ ref('fct_order') }}
    union all
    select channel_code from {{ ref('fct_event') }}
    union all
    select channel_code from {{ ref('fct_spend') }}
    union all
    select first_channel as channel_code from {{ ref('dim_customer') }}
),

codes as (
    select channel_code from mapped
    union
    select channel_code from seen where channel_code is not null
),

final as (
    select
        c.channel_code,
        coalesce(m.channel_group, 'unmapped') as channel_group,
        coalesce(m.label_en, c.channel_code) as label_en,
        coalesce(m.label_zh, c.channel_code) as label_zh,
        m.channel_code is not null as is_mapped
    from codes as c
    left join mapped as m on m.channel_code = c.channel_code
)

select * from final
