{# The stages of every customer as intervals, from int_lifecycle__breakpoints read in one of the two modes: fixed, or adaptive to the
   customer's own gaps between orders. #}
{% macro lifecycle_intervals(mode) %}
{%- set in_order = 'partition by customer_number order by day_on nulls last' -%}
{%- set in_model = 'partition by customer_number, model_code order by valid_from nulls last' -%}
{%- set maturity = lifecycle_clause_column('maturity5', mode) -%}
{%- set value = lifecycle_clause_column('value5', mode) -%}
with

breakpoints as (
    select
        customer_number,
        day_on,
        business_type,
        {%- for model_code in lifecycle_models() %}
        {{ lifecycle_clause_column(model_code, mode) }} as {{ model_code }}_clause,
        {%- endfor %}
        split_part({{ maturity }}, '.', 1) = 'lost' as is_lost,
        split_part({{ maturity }}, '.', 1) = 'dormant' as is_dormant,
        split_part({{ value }}, '.', 1) = 'high_value' as is_high_value
    from {{ ref('int_lifecycle__breakpoints') }}
),

stages as (
    select * from {{ ref('lifecycle_stage') }}
),

overlaid as (
    select
        breakpoints.*,
        max(case when is_high_value then 1 else 0 end) over (
            {{ in_order }} rows between unbounded preceding and current row
        ) = 1 as was_high_value
    from breakpoints
),

compared as (
    select
        overlaid.*,
        {%- for model_code in lifecycle_models() %}
        lag({{ model_code }}_clause) over ({{ in_order }}) as previous_{{ model_code }}_clause,
        {%- endfor %}
        coalesce(lag(business_type) over ({{ in_order }}) <> business_type, true)
        or lag(is_lost) over ({{ in_order }}) <> is_lost
        or lag(is_dormant) over ({{ in_order }}) <> is_dormant
        or lag(was_high_value) over ({{ in_order }}) <> was_high_value as has_other_overlay
    from overlaid
),

spells as (
    {%- for model_code in lifecycle_models() %}
    select
        customer_number,
        '{{ model_code }}' as model_code,
        business_type,
        day_on as valid_from,
        {{ lifecycle_rule_version(model_code) }} as rule_version,
        {{ model_code }}_clause as clause_id,
        {{ lifecycle_sub_stage(model_code, model_code ~ '_clause') }} as sub_stage_code,
        is_lost,
        is_dormant,
        was_high_value
    from compared
    where has_other_overlay or {{ model_code }}_clause is distinct from previous_{{ model_code }}_clause
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

staged as (
    select
        spells.*,
        stages.stage_code,
        stages.stage_rank,
        stages.is_inactive
    from spells
    inner join stages
        on spells.model_code = stages.model_code and split_part(spells.clause_id, '.', 1) = stages.stage_code
),

ordered as (
    select
        staged.*,
        lag(stage_code) over ({{ in_model }}) as last_stage_code,
        lag(is_inactive) over ({{ in_model }}) as was_inactive,
        lead(valid_from) over ({{ in_model }}) as valid_to
    from staged
),

-- A cycle ends when somebody comes back from a silent stage.
counted as (
    select
        ordered.*,
        {{ last_known("case when stage_code <> last_stage_code then last_stage_code end", in_model) }} as previous_stage_code,
        sum(case when was_inactive and not is_inactive then 1 else 0 end) over (
            {{ in_model }} rows between unbounded preceding and current row
        ) as comebacks
    from ordered
),

final as (
    select
        customers.customer_id,
        counted.model_code,
        counted.business_type,
        counted.stage_code,
        cast(counted.stage_rank as bigint) as stage_rank,
        counted.sub_stage_code,
        counted.valid_from,
        counted.valid_to,
        counted.rule_version,
        counted.clause_id,
        counted.previous_stage_code,
        counted.is_lost,
        counted.is_dormant,
        counted.was_high_value,
        cast(counted.comebacks + 1 as bigint) as cycle_number
    from counted
    inner join {{ ref('int_lifecycle__customers') }} as customers on counted.customer_number = customers.customer_number
)

select * from final
{%- endmacro %}
