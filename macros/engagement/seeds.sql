{# Funnels and promotions are rows that a marketer reviews. A row that cannot work stops the build with a sentence that names
   it. The seeds are named while dbt parses, so that they are built first; unit tests read the built ones. #}

{# What customers can do: events by name, and two things that are none. Empty in unit tests, which know no sources. #}
{% macro _step_events() %}
  {%- if not graph.get('sources') -%}{{- return([]) -}}{%- endif -%}
  {{- return(['registration', 'order'] + (contract_columns('event') | selectattr('name', 'equalto', 'event_name') | first).accepted_values) -}}
{% endmacro %}

{# Steps of the funnels: {funnel: [{step_number, step_event, window_days}]}, in order. Empty until the seed has been built. #}
{% macro funnel_steps() %}
  {%- set funnels = {} -%}
  {%- if not execute -%}{%- do ref('funnel_step') -%}{{- return(funnels) -}}{%- endif -%}
  {%- set events = _step_events() -%}
  {%- for row in seed_rows('funnel_step') or [] -%}
    {%- set label = "Seed funnel_step, row " ~ row.funnel_code ~ ", step " ~ row.step_number -%}
    {%- do _require(modules.re.match('^[a-z][a-z0-9_]*$', row.funnel_code or ''), label ~ ": funnel_code must be lower-case words joined by _.") -%}
    {%- do _require(modules.re.match('^[1-9][0-9]?$', row.step_number or ''), label ~ ": step_number must be a whole number from 1 to 99.") -%}
    {%- do _require(modules.re.match('^[0-9]{1,4}$', row.window_days or ''), label ~ ": window_days must be a whole number of days, not '" ~ row.window_days ~ "'.") -%}
    {%- do _require(not events or row.step_event in events, label ~ ": the step '" ~ row.step_event ~ "' is no event; use one of: " ~ events | join(', ') ~ ".") -%}
    {%- do funnels.setdefault(row.funnel_code, []).append({'step_number': row.step_number | int, 'step_event': row.step_event, 'window_days': row.window_days | int}) -%}
  {%- endfor -%}
  {%- for funnel_code, steps in funnels.items() -%}
    {%- set ordered = steps | sort(attribute='step_number') -%}
    {%- do funnels.update({funnel_code: ordered}) -%}
    {%- set label = "Seed funnel_step, funnel " ~ funnel_code -%}
    {%- do _require(ordered | length > 1, label ~ ": a funnel needs two steps or more.") -%}
    {%- for step in ordered -%}
      {%- do _require(step.step_number == loop.index, label ~ ": the steps must be numbered 1, 2, 3 and so on, each once; step " ~ loop.index ~ (" is given twice." if step.step_number < loop.index else " is missing.")) -%}
      {%- do _require(step.window_days == 0 if loop.first else step.window_days >= ordered[loop.index0 - 1].window_days, label ~ ", step " ~ step.step_number ~ ": window_days counts from the first step, so it is 0 there and never less than in the step before, not " ~ step.window_days ~ ".") -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(funnels) -}}
{% endmacro %}

{# Number of steps of a funnel, or of the longest one; 0 where there is none. #}
{% macro funnel_depth(funnel_code=none) %}
  {%- set depths = [0] -%}
  {%- for code, steps in funnel_steps().items() if funnel_code in [none, code] -%}{%- do depths.append(steps | length) -%}{%- endfor -%}
  {{- return(depths | max) -}}
{% endmacro %}

{# What makes a registered customer an activated one, for each business type: [{business_type, event_name, days}], from the parameters
   activation_event and activation_days of the seed business_profile. Empty until the seed has been built. #}
{% macro activation_rules() %}
  {%- set rules = [] -%}
  {%- if not execute -%}{%- do ref('business_profile') -%}{{- return(rules) -}}{%- endif -%}
  {%- set events = _step_events() -%}
  {%- set rows = seed_rows('business_profile') -%}
  {%- if rows is none -%}{{- return(rules) -}}{%- endif -%}
  {%- set profiles = _lifecycle_profiles(rows) -%}
  {%- for business_type in profiles | reject('equalto', '*') | sort -%}
    {%- set event_name = _lifecycle_parameter(profiles, business_type, '*', 'activation_event')[1] -%}
    {%- set days = _lifecycle_parameter(profiles, business_type, '*', 'activation_days')[1] -%}
    {%- if event_name is not none or days is not none -%}
      {%- set label = "Seed business_profile, business type " ~ business_type -%}
      {%- do _require(event_name is not none and (not events or event_name in events), label ~ ": activation_event '" ~ event_name ~ "' is no event; use one of: " ~ events | join(', ') ~ ".") -%}
      {%- do _require(modules.re.match('^[0-9]{1,4}$', days or ''), label ~ ": activation_days must be a whole number of days, not '" ~ days ~ "'.") -%}
      {%- do rules.append({'business_type': business_type, 'event_name': event_name, 'days': days | int}) -%}
    {%- endif -%}
  {%- endfor -%}
  {{- return(rules) -}}
{% endmacro %}

{# The same as selects: business_type, event_name, days. #}
{% macro activation_rule_rows() %}
  {%- for rule in activation_rules() %}
    select '{{ rule.business_type }}' as business_type, '{{ rule.event_name }}' as event_name, {{ rule.days }} as days
    {{ 'union all' if not loop.last }}
  {%- else %}
    select cast(null as string) as business_type, cast(null as string) as event_name, cast(null as integer) as days
    where 1 = 0
  {%- endfor %}
{%- endmacro %}

{# Stops the build when a row of promo_calendar is no promotion. #}
{% macro require_promotions() %}
  {%- if execute -%}
    {%- set seen = [] -%}
    {%- for row in seed_rows('promo_calendar') or [] -%}
      {%- set label = "Seed promo_calendar, row " ~ row.promo_code ~ " from " ~ row.starts_on -%}
      {%- do _require(row.promo_code, label ~ ": promo_code is empty.") -%}
      {%- for day in [row.starts_on, row.ends_on] -%}
        {%- do _require(_is_date(day or ''), label ~ ": starts_on and ends_on must be days such as 2026-06-18, not '" ~ day ~ "'.") -%}
      {%- endfor -%}
      {%- do _require(row.starts_on <= row.ends_on, label ~ ": it ends on " ~ row.ends_on ~ ", before it starts.") -%}
      {%- do _require([row.promo_code, row.starts_on] not in seen, label ~ ": the promotion is given twice; keep one row.") -%}
      {%- do seen.append([row.promo_code, row.starts_on]) -%}
    {%- endfor -%}
  {%- endif -%}
{% endmacro %}
