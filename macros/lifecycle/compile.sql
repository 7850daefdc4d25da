{# SQL made from the rulebook (see rulebook.sql). #}

{# Text list of quoted codes for an IN clause. #}
{% macro _quoted(codes) %}
  {{- return("'" ~ codes | join("', '") ~ "'") -}}
{% endmacro %}

{# Codes of the models that have rules. #}
{% macro lifecycle_models() %}
  {{- return(lifecycle_rulebook().models.keys() | list) -}}
{% endmacro %}

{# The business type, or NULL where the text is none that the seed business_profile knows. #}
{% macro lifecycle_known_type(column) %}
  {{- return("case when " ~ column ~ " in (" ~ _quoted(lifecycle_rulebook().business_types) ~ ") then " ~ column ~ " end") -}}
{% endmacro %}

{# The features of rules as columns, as of the day `seen_on`. #}
{% macro lifecycle_feature_columns() %}
  {%- for feature, facts in lifecycle_features().items() if facts.kind != 'always' %}
        {{ facts.expression }} as {{ feature }}
        {%- if not loop.last %},{% endif %}
  {%- endfor %}
{%- endmacro %}

{# A CASE over business types; those whose text is the same share a branch. `by_type` maps type to text. #}
{% macro _lifecycle_by_type(by_type, type_column='business_type') %}
  {%- set types = {} -%}
  {%- for business_type, text in by_type.items() -%}
    {%- do types.setdefault(text, []).append(business_type) -%}
  {%- endfor -%}
  case
  {%- for text, named in types.items() %}
            when {{ type_column }} in ({{ _quoted(named) }}) then {{ text }}
  {%- endfor %}
        end
{%- endmacro %}

{# What a condition compares with: in the adaptive mode days since the last order follow the customer's own gaps. #}
{% macro _lifecycle_value(condition, mode) %}
  {{- return(condition.get('adaptive_value', condition.value) if mode == 'adaptive' else condition.value) -}}
{% endmacro %}

{# Whether the adaptive mode reads a model's rules differently at all. #}
{% macro lifecycle_adapts(model_code) %}
  {%- for compiled in lifecycle_rulebook().models.get(model_code, {}).values() -%}
    {%- for rule in compiled.rules -%}
      {%- for condition in rule.conditions if condition.feature != 'otherwise' and condition.get('adaptive_value', condition.value) != condition.value -%}
        {{- return(true) -}}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(false) -}}
{% endmacro %}

{# Column of int_lifecycle__breakpoints with a model's clause in a mode; the modes share it where they cannot differ. #}
{% macro lifecycle_clause_column(model_code, mode='fixed') %}
  {{- return(model_code ~ ('_adaptive_clause' if mode == 'adaptive' and lifecycle_adapts(model_code) else '_clause')) -}}
{% endmacro %}

{# `lost.1`: stage and clause of the first rule that matches, as one CASE for all business types with their thresholds as
   literals: a join on a rules table measured 24 to 35 times slower. #}
{% macro lifecycle_clause(model_code, mode='fixed') %}
  {%- set by_type = {} -%}
  {%- for business_type, compiled in lifecycle_rulebook().models.get(model_code, {}).items() -%}
    {%- set branches = [] -%}
    {%- for rule in compiled.rules -%}
      {%- set tests = [] -%}
      {%- for condition in rule.conditions if condition.feature != 'otherwise' -%}
        {%- do tests.append(condition.feature ~ ' ' ~ condition.op ~ ' ' ~ _lifecycle_value(condition, mode)) -%}
      {%- endfor -%}
      {%- do branches.append(('when ' ~ tests | join(' and ') ~ ' then' if tests else 'else') ~ " '" ~ rule.clause_id ~ "'") -%}
    {%- endfor -%}
    {%- set otherwise = branches.pop() -%}
    {%- do by_type.update({business_type: ('case\n                ' ~ branches | join('\n                ') ~ '\n                ' ~ otherwise ~ '\n            end') if branches else otherwise | replace('else ', '')}) -%}
  {%- endfor -%}
  {{- _lifecycle_by_type(by_type) -}}
{%- endmacro %}

{# The clause of every model, and in the adaptive mode where that may be another one. #}
{% macro lifecycle_clause_columns() %}
  {%- for model_code in lifecycle_models() %}
    {%- set is_last = loop.last %}
    {%- for mode in ['fixed', 'adaptive'] if mode == 'fixed' or lifecycle_adapts(model_code) %}
        {{ lifecycle_clause(model_code, mode) }} as {{ lifecycle_clause_column(model_code, mode) }}
        {%- if not (is_last and loop.last) %},{% endif %}
    {%- endfor %}
  {%- endfor %}
{%- endmacro %}

{# Whether a clause belongs to a stage; splitting the text costs several times as much. #}
{% macro _lifecycle_in_stage(clause, stage_code) %}
  {{- return("(substr(" ~ clause ~ ", 1, " ~ (stage_code | length + 1) ~ ") = '" ~ stage_code ~ ".')") -}}
{% endmacro %}

{# Version of the rules that were in force for the model and business type of a relation's row. #}
{% macro lifecycle_rule_version(relation) %}
  {%- set versions = {} -%}
  {%- for model_code, by_type in lifecycle_rulebook().models.items() -%}
    {%- for business_type, compiled in by_type.items() -%}
      {%- do versions.setdefault(compiled.version, {}).setdefault(model_code, []).append(business_type) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- if versions | length == 1 -%}
  '{{ versions | first }}'
  {%- else -%}
  case
  {%- for version, named in versions.items() %}{% for model_code, types in named.items() %}
            when {{ relation }}.model_code = '{{ model_code }}' and {{ relation }}.business_type in ({{ _quoted(types) }}) then '{{ version }}'
  {%- endfor %}{% endfor %}
        end
  {%- endif -%}
{%- endmacro %}

{# Part of the stage that a relation's row is in, where the rules name one for its clause: its code, or its label in a language. #}
{% macro lifecycle_sub_stage(relation, language=none) %}
  {%- set parts = {} -%}
  {%- set stages = lifecycle_rulebook().stages -%}
  {%- for model_code, by_type in lifecycle_rulebook().models.items() -%}
    {%- for business_type, compiled in by_type.items() -%}
      {%- for rule in compiled.rules if rule.get('sub_stage') -%}
        {%- set labels = stages[model_code][rule.stage].parts[rule.sub_stage] if language else {} -%}
        {%- do parts.setdefault((model_code, rule.clause_id, labels.get(language, rule.sub_stage) | replace("'", "''")), []).append(business_type) -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  cast(case
  {%- for key, types in parts.items() %}
            when {{ relation }}.model_code = '{{ key[0] }}' and {{ relation }}.clause_id = '{{ key[1] }}' and {{ relation }}.business_type in ({{ _quoted(types) }}) then '{{ key[2] }}'
  {%- endfor %}
            {{ 'else null' if parts else 'when 1 = 0 then null' }}
        end as string)
{%- endmacro %}

{# Every moment at which time alone changes a comparison, as [business type, feature, days, expression]: so many days after its anchor,
   and as many more as the expression says where the threshold depends on the customer. Of the lifecycle rules, or of others in their shape. #}
{% macro _lifecycle_clocks(models=none) %}
  {%- set features = lifecycle_features() -%}
  {%- set found = [] -%}
  {%- for by_type in (lifecycle_rulebook().models if models is none else models).values() -%}
    {%- for business_type, compiled in by_type.items() -%}
      {%- for rule in compiled.rules -%}
        {%- for condition in rule.conditions if features[condition.feature].kind in ['clock', 'countdown'] -%}
          {%- for value in [condition.value, condition.get('adaptive_value', condition.value)] | unique -%}
            {%- set is_plain = modules.re.match('^[0-9]+$', value) -%}
            {%- set limit = value | int if is_plain else 0 -%}
            {%- if features[condition.feature].kind == 'clock' -%}
              {%- set ages = {'>=': [limit], '<': [limit], '>': [limit + 1], '<=': [limit + 1]} -%}
              {%- set both = [limit, limit + 1] -%}
            {%- else -%}
              {%- set ages = {'<=': [-limit], '>': [-limit], '<': [1 - limit], '>=': [1 - limit]} -%}
              {%- set both = [-limit, 1 - limit] -%}
            {%- endif -%}
            {%- for age in ages.get(condition.op, both) -%}
              {%- set row = [business_type, condition.feature, age, '' if is_plain else value] -%}
              {%- if row not in found -%}{%- do found.append(row) -%}{%- endif -%}
            {%- endfor -%}
          {%- endfor -%}
        {%- endfor -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(found | sort) -}}
{% endmacro %}

{# The fewest days after its anchor at which a clock changes some comparison of a business type's rules: until then it cannot matter whether it
   started anew. #}
{% macro lifecycle_earliest_age(feature, type_column) %}
  {%- set ages = {} -%}
  {%- for row in _lifecycle_clocks() if row[1] == feature -%}
    {%- set age = 0 if row[3] else row[2] -%}
    {%- do ages.update({row[0]: [age, ages.get(row[0], age)] | min}) -%}
  {%- endfor -%}
  {%- set by_type = {} -%}
  {%- for business_type, age in ages.items() -%}
    {%- do by_type.update({business_type: age | string}) -%}
  {%- endfor -%}
  {%- if by_type -%}
  coalesce({{ _lifecycle_by_type(by_type, type_column) }}, 100000)
  {%- else -%}
  100000
  {%- endif -%}
{%- endmacro %}

{# Days `seen_on` on which a clock changes some comparison for a row of int_lifecycle__states, as one select for each anchor, beside columns of
   that row. A threshold that depends on the customer is an expression over the state's columns. #}
{% macro lifecycle_ripening(states, models=none, columns=['customer_number', 'day_on', 'next_day_on']) %}
  {%- set features = lifecycle_features() -%}
  {%- set clocks = _lifecycle_clocks(models) -%}
  {%- for feature in clocks | map(attribute=1) | unique %}
    {%- set rows = clocks | selectattr(1, 'equalto', feature) | list -%}
    {%- set expressions = rows | map(attribute=3) | reject('equalto', '') | unique | list %}
    {{- '\n    union all' if not loop.first }}
    select
        {%- for column in columns %}
        {{ states }}.{{ column }},
        {%- endfor %}
        {% set more -%}
          case clocks.limit_number
          {%- for expression in expressions %} when {{ loop.index }} then {{ expression }}{% endfor %} else 0 end
        {%- endset -%}
        {{ days_later(states ~ '.' ~ features[feature].anchor, 'clocks.age_days' ~ (' + ' ~ more if expressions else '')) }} as seen_on
    from {{ states }}
    inner join (
        {%- for row in rows %}
        select '{{ row[0] }}' as business_type, {{ row[2] }} as age_days, {{ expressions.index(row[3]) + 1 if row[3] else 0 }} as limit_number
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    ) as clocks on {{ states }}.business_type = clocks.business_type
    where {{ states }}.{{ features[feature].anchor }} is not null
  {%- else %}
    select {{ columns | join(', ') }}, day_on as seen_on from {{ states }} where 1 = 0
  {%- endfor %}
{%- endmacro %}

{# Number that changes exactly when a rule reads some of these features differently: one bit for each distinct group of
   conditions on them that a clause joins by AND; only rules of the row's business type where its column is given. A prefix makes it
   read `<prefix>active_days_28` and so on, for the row before. #}
{% macro lifecycle_signature(feature_names, models=none, type_column=none, prefix='') %}
  {%- set features = lifecycle_features() -%}
  {%- set groups = {} -%}
  {%- for by_type in (lifecycle_rulebook().models if models is none else models).values() -%}
    {%- for business_type, compiled in by_type.items() -%}
      {%- for rule in compiled.rules -%}
        {%- set tests = [] -%}
        {%- for condition in rule.conditions if condition.feature in feature_names -%}
          {%- do tests.append(features[condition.feature].expression ~ ' ' ~ condition.op ~ ' ' ~ condition.value) -%}
        {%- endfor -%}
        {%- if tests -%}{%- do groups.setdefault(business_type if type_column else '', {}).update({tests | sort | join(' and '): 1}) -%}{%- endif -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- set by_type = {} -%}
  {%- for business_type, found in groups.items() -%}
    {%- set bits = [] -%}
    {%- for group in found | sort -%}
      {%- do bits.append('case when ' ~ (group | replace('active_days', prefix ~ 'active_days')) ~ ' then ' ~ 2 ** loop.index0 ~ ' else 0 end') -%}
    {%- endfor -%}
    {%- do by_type.update({business_type: bits | join(' + ')}) -%}
  {%- endfor -%}
  {%- if type_column and by_type -%}
    coalesce({{ _lifecycle_by_type(by_type, type_column) }}, 0)
  {%- else -%}
    {{- by_type.get('', '0') -}}
  {%- endif -%}
{%- endmacro %}

{# Stage in which everybody begins: the catch-all of the model's rules for the default business type. #}
{% macro lifecycle_entry_stage(model_column) %}
  case {{ model_column }}
  {%- for model_code, by_type in lifecycle_rulebook().models.items() %}
            when '{{ model_code }}' then '{{ by_type[setting('default_business_type')].rules[-1].stage }}'
  {%- endfor %}
        end
{%- endmacro %}
