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

{# Day from which a clock or countdown counts, by the feature's name in a column. #}
{% macro lifecycle_anchor(feature_column, states) %}
  case {{ feature_column }}
  {%- for feature, facts in lifecycle_features().items() if 'anchor' in facts %}
            when '{{ feature }}' then {{ states }}.{{ facts.anchor }}
  {%- endfor %}
        end
{%- endmacro %}

{# `lost.1`: stage and clause of the first rule that matches, as one CASE for all business types with their thresholds as
   literals: a join on a rules table measured 24 to 35 times slower. #}
{% macro lifecycle_clause(model_code) %}
  case business_type
  {%- for business_type, compiled in lifecycle_rulebook().models[model_code].items() %}
            when '{{ business_type }}' then case
    {%- for rule in compiled.rules %}
      {%- set tests = [] %}
      {%- for condition in rule.conditions if condition.feature != 'otherwise' %}
        {%- do tests.append(condition.feature ~ ' ' ~ condition.op ~ ' ' ~ condition.value) %}
      {%- endfor %}
                {% if tests %}when {{ tests | join(' and ') }} then{% else %}else{% endif %} '{{ rule.clause_id }}'
    {%- endfor %}
            end
  {%- endfor %}
        end
{%- endmacro %}

{# Version of the rules that were in force for a row's model and business type. #}
{% macro lifecycle_rule_version(model_code) %}
  case business_type
  {%- for business_type, compiled in lifecycle_rulebook().models[model_code].items() %}
            when '{{ business_type }}' then '{{ compiled.version }}'
  {%- endfor %}
        end
{%- endmacro %}

{# Rows (business_type, feature, age_days): so many days after its anchor a clock or countdown changes some comparison. #}
{% macro lifecycle_clock_rows() %}
  {%- set features = lifecycle_features() -%}
  {%- set found = [] -%}
  {%- for by_type in lifecycle_rulebook().models.values() -%}
    {%- for business_type, compiled in by_type.items() -%}
      {%- for rule in compiled.rules -%}
        {%- for condition in rule.conditions if features[condition.feature].kind in ['clock', 'countdown'] -%}
          {%- set limit = condition.value | int -%}
          {%- if features[condition.feature].kind == 'clock' -%}
            {%- set ages = {'>=': [limit], '<': [limit], '>': [limit + 1], '<=': [limit + 1]} -%}
            {%- set both = [limit, limit + 1] -%}
          {%- else -%}
            {%- set ages = {'<=': [-limit], '>': [-limit], '<': [1 - limit], '>=': [1 - limit]} -%}
            {%- set both = [-limit, 1 - limit] -%}
          {%- endif -%}
          {%- for age in ages.get(condition.op, both) if [business_type, condition.feature, age] not in found -%}
            {%- do found.append([business_type, condition.feature, age]) -%}
          {%- endfor -%}
        {%- endfor -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- for row in found | sort %}
    select '{{ row[0] }}' as business_type, '{{ row[1] }}' as feature, {{ row[2] }} as age_days
    {%- if not loop.last %} union all{% endif %}
  {%- else %}
    select cast(null as string) as business_type, cast(null as string) as feature, cast(null as bigint) as age_days where 1 = 0
  {%- endfor %}
{%- endmacro %}

{# Number that changes exactly when a rule reads some of these features differently: one bit for each distinct group of
   conditions on them that a clause joins by AND. #}
{% macro lifecycle_signature(feature_names) %}
  {%- set features = lifecycle_features() -%}
  {%- set groups = [] -%}
  {%- for by_type in lifecycle_rulebook().models.values() -%}
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
