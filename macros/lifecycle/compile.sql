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
{% macro _lifecycle_by_type(by_type) %}
  {%- set types = {} -%}
  {%- for business_type, text in by_type.items() -%}
    {%- do types.setdefault(text, []).append(business_type) -%}
  {%- endfor -%}
  case
  {%- for text, named in types.items() %}
            when business_type in ({{ _quoted(named) }}) then {{ text }}
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

{# Version of the rules that were in force for a row's model and business type. #}
{% macro lifecycle_rule_version(model_code) %}
  {%- set by_type = {} -%}
  {%- for business_type, compiled in lifecycle_rulebook().models.get(model_code, {}).items() -%}
    {%- do by_type.update({business_type: "'" ~ compiled.version ~ "'"}) -%}
  {%- endfor -%}
  {{- _lifecycle_by_type(by_type) -}}
{%- endmacro %}

{# Part of a stage that a clause stands for, where the rules name one; `clause` is a column with the clause. #}
{% macro lifecycle_sub_stage(model_code, clause) %}
  {%- set by_type = {} -%}
  {%- for business_type, compiled in lifecycle_rulebook().models.get(model_code, {}).items() -%}
    {%- set named = [] -%}
    {%- for rule in compiled.rules if rule.get('sub_stage') -%}
      {%- do named.append("when '" ~ rule.clause_id ~ "' then '" ~ rule.sub_stage ~ "'") -%}
    {%- endfor -%}
    {%- if named -%}{%- do by_type.update({business_type: 'case ' ~ clause ~ ' ' ~ named | join(' ') ~ ' end'}) -%}{%- endif -%}
  {%- endfor -%}
  {%- if by_type -%}{{- _lifecycle_by_type(by_type) -}}{%- else -%}cast(null as string){%- endif -%}
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

{# Rows (business_type, feature, age_days, limit_number) of the clocks; the number stands for the expression, 0 for none. #}
{% macro lifecycle_clock_rows(models=none) %}
  {%- set clocks = _lifecycle_clocks(models) -%}
  {%- set expressions = clocks | map(attribute=3) | unique | list -%}
  {%- for row in clocks %}
    select '{{ row[0] }}' as business_type, '{{ row[1] }}' as feature, {{ row[2] }} as age_days, {{ expressions.index(row[3]) if row[3] else -1 }} as limit_number
    {%- if not loop.last %} union all{% endif %}
  {%- else %}
    select
        cast(null as string) as business_type,
        cast(null as string) as feature,
        cast(null as bigint) as age_days,
        cast(null as bigint) as limit_number
    where 1 = 0
  {%- endfor %}
{%- endmacro %}

{# Day on which a clock row changes some comparison for a state row; both are aliases of relations. #}
{% macro lifecycle_ripe_on(clocks, states, models=none) %}
  {%- set expressions = _lifecycle_clocks(models) | map(attribute=3) | unique | list -%}
  {%- set anchor -%}
  case {{ clocks }}.feature
  {%- for feature, facts in lifecycle_features().items() if 'anchor' in facts %}
            when '{{ feature }}' then {{ states }}.{{ facts.anchor }}
  {%- endfor %}
        end
  {%- endset -%}
  {%- set more -%}
  case {{ clocks }}.limit_number
  {%- for expression in expressions if expression %}
            when {{ expressions.index(expression) }} then {{ expression }}
  {%- endfor %}
            else 0
        end
  {%- endset -%}
  {{- days_later(anchor, clocks ~ '.age_days' ~ (' + ' ~ more if expressions | reject('equalto', '') | list else '')) -}}
{%- endmacro %}

{# Number that changes exactly when a rule reads some of these features differently: one bit for each distinct group of
   conditions on them that a clause joins by AND. #}
{% macro lifecycle_signature(feature_names, models=none) %}
  {%- set features = lifecycle_features() -%}
  {%- set groups = [] -%}
  {%- for by_type in (lifecycle_rulebook().models if models is none else models).values() -%}
    {%- for compiled in by_type.values() -%}
      {%- for rule in compiled.rules -%}
        {%- set tests = [] -%}
        {%- for condition in rule.conditions if condition.feature in feature_names -%}
          {%- do tests.append(features[condition.feature].expression ~ ' ' ~ condition.op ~ ' ' ~ condition.value) -%}
        {%- endfor -%}
        {%- set group = tests | sort | join(' and ') -%}
        {%- if group and group not in groups -%}{%- do groups.append(group) -%}{%- endif -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- for group in groups | sort -%}
    case when {{ group }} then {{ 2 ** loop.index0 }} else 0 end{% if not loop.last %} + {% endif %}
  {%- else -%}
    0
  {%- endfor -%}
{%- endmacro %}

{# Stage in which everybody begins: the catch-all of the model's rules for the default business type. #}
{% macro lifecycle_entry_stage(model_column) %}
  case {{ model_column }}
  {%- for model_code, by_type in lifecycle_rulebook().models.items() %}
            when '{{ model_code }}' then '{{ by_type[setting('default_business_type')].rules[-1].stage }}'
  {%- endfor %}
        end
{%- endmacro %}
