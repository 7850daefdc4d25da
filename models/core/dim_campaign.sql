-- One row per campaign: those that a source describes, and those that spend, orders, touches or benefits only name.
with

campaigns as (
    select * from {{ ref('unified_campaign') }} where not is_deleted
),

mentions as (
    select
        campaign_key,
        source_system,
        campaign_name
    from {{ ref('fct_spend') }}
    where campaign_key is not null
    {% for fact in ['fct_order', 'fct_touch', 'fct_benefit'] %}
    union all

    select
        campaign_key,
        source_system,
        cast(null as string) as campaign_name
    from {{ ref(fact) }}
    where campaign_key is not null
    {% endfor %}
),

named as (
    select
        campaign_key,
        min(source_system) as source_system,
        max(campaign_name) as campaign_name
    from mentions
    group by campaign_key
),

described as (
    select
        {{ record_key('c') }} as campaign_key,
        c.*
    from campaigns as c
),

final as (
    select
        coalesce(d.campaign_key, n.campaign_key) as campaign_key,
        coalesce(d.source_system, n.source_system) as source_system,
        coalesce(d.source_record_id, substr(n.campaign_key, position(':' in n.campaign_key) + 1)) as campaign_id,
        coalesce(d.name, n.campaign_name) as name,
        d.campaign_type,
        d.goal_metric,
        d.target_model,
        d.target_stage_from,
        d.target_stage_to,
        d.start_at,
        d.end_at,
        {{ local_day('d.start_at') }} as start_on,
        {{ local_day('d.end_at') }} as end_on,
        {{ as_money('d.budget') }} as budget_amount,
        d.owner,
        d.business_unit,
        d.campaign_key is null as is_bare
    from described as d
    full outer join named as n on n.campaign_key = d.campaign_key
)

select * from final
