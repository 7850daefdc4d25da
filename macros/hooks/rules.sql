{# Stops a run that builds seeds with rules in one sentence that names the row, before anything is built from a row that cannot work.
   The macros that resolve rules for the models do the work, and leave their answers in `graph` for those. A run that builds
   none of the seeds reads rows that were checked when they were built. #}
{% macro validate_rules() %}
  {%- if execute -%}
    {%- set lifecycle = ['lifecycle_rule', 'lifecycle_stage', 'lifecycle_sub_stage', 'business_profile'] -%}
    {%- set alerts = ['alert_rule', 'business_profile'] -%}
    {%- if _are_seeds_of_run(lifecycle) -%}{%- do lifecycle_rulebook() -%}{%- endif -%}
    {%- if _are_seeds_of_run(lifecycle + ['business_unit']) -%}{%- do _require_business_types() -%}{%- endif -%}
    {%- if _are_seeds_of_run(alerts) -%}{%- do alert_rulebook() -%}{%- endif -%}
    {%- if _are_seeds_of_run(lifecycle + alerts + ['tag', 'tag_rule']) -%}{%- do tagbook() -%}{%- endif -%}
    {%- if _are_seeds_of_run(lifecycle + ['alert_rule', 'tag_rule']) -%}{%- do _require_parameters() -%}{%- endif -%}
    {%- if _are_seeds_of_run(['business_profile']) -%}{%- do activation_rules() -%}{%- endif -%}
    {%- if _are_seeds_of_run(['affinity_weight']) -%}{%- do affinity_half_life() -%}{%- endif -%}
    {%- if _are_seeds_of_run(['survivorship']) -%}{%- do survivorship_rules() -%}{%- endif -%}
    {%- if _are_seeds_of_run(['funnel_step']) -%}{%- do funnel_steps() -%}{%- endif -%}
    {%- if _are_seeds_of_run(['promo_calendar']) -%}{%- do require_promotions() -%}{%- endif -%}
  {%- endif -%}
{% endmacro %}

{# Whether the run builds one of these seeds, and the others are there already. #}
{% macro _are_seeds_of_run(names) %}
  {%- set others = names | reject('in', seeds_of_run()) | list -%}
  {%- set found = namespace(all=others | length < names | length) -%}
  {%- for name in others if found.all -%}{%- set found.all = seed_rows(name) is not none -%}{%- endfor -%}
  {{- return(found.all) -}}
{% endmacro %}

{# What the command that runs builds, seeds by their mere names. #}
{% macro seeds_of_run() %}
  {{- return(selected_resources | map('replace', 'seed.' ~ project_name ~ '.', '') | list) -}}
{% endmacro %}

{# A business unit of an unknown type would fall back on the default type without a word. #}
{% macro _require_business_types() %}
  {%- set known = lifecycle_rulebook().business_types -%}
  {%- for row in seed_rows('business_unit') -%}
    {%- do _require(row.business_type in known, "Seed business_unit, row " ~ row.business_unit ~ ": the business type '" ~ row.business_type ~ "' has no rows in the seed business_profile; use one of: " ~ known | join(', ') ~ ".") -%}
  {%- endfor -%}
{% endmacro %}

{# A number that no rule asks for is a misspelt name: the rule would go on with the number for all types. #}
{% macro _require_parameters() %}
  {%- set read = ['fall_min', 'replenish_days', 'gap_floor_ratio', 'gap_ceiling_ratio', 'outage_window_ratio', 'outage_day_ratio', 'activation_event', 'activation_days'] -%}
  {%- for name in ['lifecycle_rule', 'tag_rule', 'alert_rule'] -%}
    {%- for key in seed_rows(name) | map(attribute='param_key') | reject('none') | unique -%}
      {%- set stem = key | replace('_days', '') -%}
      {%- do read.extend([key, stem ~ '_cycle_ratio', stem ~ '_gap_ratio'] if key.endswith('_days') else [key]) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- set models = lifecycle_rulebook().models -%}
  {%- for row in seed_rows('business_profile') -%}
    {%- set label = "Seed business_profile, row " ~ [row.business_type, row.model_code, row.param_key] | join(', ') -%}
    {%- do _require(row.param_key in read, label ~ ": no rule reads this parameter; use one of: " ~ read | unique | sort | join(', ') ~ ".") -%}
    {%- do _require(row.model_code == '*' or row.model_code in models, label ~ ": the seed lifecycle_rule has no such model; use '*' or one of: " ~ models | join(', ') ~ ".") -%}
  {%- endfor -%}
{% endmacro %}
