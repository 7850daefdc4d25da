{# The stages of every customer as intervals, from int_lifecycle__breakpoints read in one of the two modes: fixed, or adaptive to the
   customer's own gaps between orders. #}
{% macro lifecycle_intervals(mode) %}
{%- set in_order = 'partition by customer_number order by day_on nulls last' -%}
{%- set in_model = 'partition by customer_number, model_number order by valid_from nulls last' -%}
with

breakpoints as (
    select
        customer_number,
        day_on,
        business_type,
        {%- for model_code in lifecycle_models() %}
        {{ lifecycle_clause_column(model_code, mode) }} as {{ model_code }}_clause
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_lifecycle__breakpoints') }}
),

clauses as (
    select distinct
        rules.model_code,
        rules.stage_code || '.' || cast(rules.clause as string) as clause_id,
        rules.stage_code,
        stages.stage_rank,
        stages.is_inactive
    from {{ ref('lifecycle_rule') }} as rules
    inner join {{ ref('lifecycle_stage') }} as stages on rules.model_code = stages.model_code and rules.stage_code = stages.stage_code
),

riches as (
    select
        customer_number,
        min(day_on) as rich_from
    from breakpoints
    where {{ _lifecycle_in_stage('value5_clause', 'high_value') }}
    group by customer_number
),

followed as (
    select
        breakpoints.*,
        {%- for model_code in lifecycle_models() %}
        lag({{ model_code }}_clause) over ({{ in_order }}) as previous_{{ model_code }}_clause,
        {%- endfor %}
        lag(business_type) over ({{ in_order }}) as previous_business_type
    from breakpoints
),

compared as (
    select
        followed.*,
        {{ _lifecycle_in_stage('maturity5_clause', 'lost') }} as is_lost,
        {{ _lifecycle_in_stage('maturity5_clause', 'dormant') }} as is_dormant,
        coalesce(day_on >= rich_from, false) as was_high_value,
        business_type is distinct from previous_business_type
        or ({{ _lifecycle_in_stage('maturity5_clause', 'lost') }}) <> ({{ _lifecycle_in_stage('previous_maturity5_clause', 'lost') }})
        or ({{ _lifecycle_in_stage('maturity5_clause', 'dormant') }}) <> ({{ _lifecycle_in_stage('previous_maturity5_clause', 'dormant') }})
        or coalesce(day_on = rich_from, false) as has_other_overlay
    from followed
    left join riches on followed.customer_number = riches.customer_number
),

-- Models have numbers because those sort faster than their names.
spells as (
    {%- for model_code in lifecycle_models() %}
    select
        customer_number,
        '{{ model_code }}' as model_code,
        {{ loop.index }} as model_number,
        business_type,
        day_on as valid_from,
        {{ model_code }}_clause as clause_id,
        previous_{{ model_code }}_clause as previous_clause_id,
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
        spells.customer_number,
        spells.model_code,
        spells.model_number,
        spells.business_type,
        spells.valid_from,
        spells.clause_id,
        spells.is_lost,
        spells.is_dormant,
        spells.was_high_value,
        clauses.stage_code,
        clauses.stage_rank,
        case when clauses.stage_code <> last_clauses.stage_code then last_clauses.stage_code end as left_stage_code,
        case when last_clauses.is_inactive and not clauses.is_inactive then 1 end as comeback
    from spells
    inner join clauses on spells.model_code = clauses.model_code and spells.clause_id = clauses.clause_id
    left join clauses as last_clauses
        on spells.model_code = last_clauses.model_code and spells.previous_clause_id = last_clauses.clause_id
),

-- A cycle ends when somebody comes back from a silent stage.
counted as (
    select
        staged.*,
        lead(valid_from) over ({{ in_model }}) as valid_to,
        {{ last_known('left_stage_code', in_model) }} as previous_stage_code,
        count(comeback) over ({{ in_model }} rows between unbounded preceding and current row) as comebacks
    from staged
),

final as (
    select
        customers.customer_id,
        counted.model_code,
        counted.business_type,
        counted.stage_code,
        cast(counted.stage_rank as bigint) as stage_rank,
        {{ lifecycle_sub_stage('counted') }} as sub_stage_code,
        {{ lifecycle_sub_stage('counted', 'en') }} as sub_stage_label_en,
        {{ lifecycle_sub_stage('counted', 'zh') }} as sub_stage_label_zh,
        counted.valid_from,
        {{ until_left('counted.valid_to') }} as valid_to,
        {{ lifecycle_rule_version('counted') }} as rule_version,
        counted.clause_id,
        counted.previous_stage_code,
        counted.is_lost,
        counted.is_dormant,
        counted.was_high_value,
        cast(counted.comebacks + 1 as bigint) as cycle_number
    from counted
    inner join {{ ref('int_lifecycle__customers') }} as customers on counted.customer_number = customers.customer_number
    where customers.left_on is null or counted.valid_from < customers.left_on
)

select * from final
{%- endmacro %}

{# End of something that a customer of int_lifecycle__customers has: no later than the day on which they leave. #}
{% macro until_left(day) %}
  {{- return('case when customers.left_on < ' ~ day ~ ' or ' ~ day ~ ' is null then customers.left_on else ' ~ day ~ ' end') -}}
{% endmacro %}
