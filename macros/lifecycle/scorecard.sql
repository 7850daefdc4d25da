{# What the scorecard counts and divides, and the targets that it is held against. #}

{# What customers do and say, for int_lifecycle__stage_fact_days: [measure, day, amount, step of the model and condition]. Sums
   of it add up over days; whether a customer did it at all in a month is asked of its sum. #}
{% macro stage_fact_sources() %}
  {%- set approved = "answers where feedback_kind in ('ugc', 'review') and status = 'approved'" -%}
  {%- set registered = "entries where entry_event = 'registration'" -%}
  {%- set bought = "entries where entry_event = 'first_purchase'" -%}
  {%- set sources = [
    ['order_count', 'ordered_on', '1', 'orders'],
    ['rated_order_count', 'ordered_on', '1', 'orders where not is_rate_missing'],
    ['net_sales_amount', 'ordered_on', 'net_amount', 'orders'],
    ['month_buyer_count', 'day_on', '1', 'month_buyers'],
    ['month_repeat_buyer_count', 'day_on', '1', 'month_buyers where purchase_days > 1'],
    ['registration_count', 'registered_on', '1', 'customers where registered_on is not null'],
    ['session_count', 'day_on', '1', 'sessions'],
    ['session_seconds', 'day_on', 'seconds', 'sessions'],
    ['active_event_days', 'day_on', '1', 'customer_days where active_event_count > 0'],
    ['active_days', 'day_on', '1', 'customer_days where is_active'],
    ['registrant_count', 'entry_on', '1', registered],
    ['convertible_count', 'entry_on', '1', registered ~ ' and coalesce(first_order_days, 0) >= 0'],
    ['first_buyer_count', 'entry_on', '1', bought],
    ['nps_answer_count', 'feedback_on', '1', 'answers where nps_rank = 1'],
    ['nps_points', 'feedback_on', 'case when score >= 9 then 100 when score <= 6 then -100 else 0 end', 'answers where nps_rank = 1'],
    ['csat_answer_count', 'feedback_on', '1', "answers where feedback_kind = 'csat' and score is not null and scale_max > 0"],
    ['csat_satisfied_count', 'feedback_on', '1', "answers where feedback_kind = 'csat' and score >= 0.8 * scale_max and scale_max > 0"],
    ['ugc_post_count', 'feedback_on', '1', approved],
    ['joined_count', 'day_on', '1', 'invites where referee_rank = 1'],
    ['referral_successes', 'succeeded_on', '1', 'successes where known_to is null'],
  ] -%}
  {%- for days in [1, 7, 30, 90] -%}
    {%- do sources.append(['converted_' ~ days ~ 'd_count', 'entry_on', '1', registered ~ ' and first_order_days between 0 and ' ~ days]) -%}
  {%- endfor -%}
  {%- for days in [1, 7, 30] -%}
    {%- do sources.append(['retained_d' ~ days ~ '_count', 'entry_on', '1', registered ~ ' and is_active_d' ~ days ~ ' = 1']) -%}
  {%- endfor -%}
  {%- for days in [30, 90] -%}
    {%- do sources.append(['repurchased_' ~ days ~ 'd_count', 'entry_on', '1', bought ~ ' and second_order_days <= ' ~ days]) -%}
  {%- endfor -%}
  {{- return(sources) -}}
{% endmacro %}

{# The same as selects: customer_id, day_on, measure, amount. #}
{% macro stage_fact_rows() %}
  {%- for measure, day, amount, relation in stage_fact_sources() %}
    {{- '\n    union all' if not loop.first }}
    select customer_id, {{ day }} as day_on, '{{ measure }}' as measure, cast({{ amount }} as decimal(18, 4)) as amount from {{ relation }}
  {%- endfor %}
{%- endmacro %}

{# Measures of int_lifecycle__stage_fact_days; events are read once for three of them. #}
{% macro stage_fact_measures() %}
  {{- return(stage_fact_sources() | map('first') | list + ['view_count', 'share_count', 'lead_events']) -}}
{% endmacro %}

{# Stops the build when a row of stage_metric names none of the metrics that are measured, or a row of kpi_target no metric, model, stage or month. #}
{% macro require_targets(measured) %}
  {%- if execute -%}
    {%- set stages = {} -%}
    {%- for row in seed_rows('lifecycle_stage') or [] -%}
      {%- do stages.setdefault(row.model_code, []).append(row.stage_code) -%}
    {%- endfor -%}
    {%- for row in seed_rows('stage_metric') or [] -%}
      {%- do _require(row.metric_code in measured, "Seed stage_metric, row " ~ row.metric_code ~ ": the scorecard does not measure it; use some of: " ~ measured | sort | join(', ') ~ ".") -%}
    {%- endfor -%}
    {%- set known = (seed_rows('stage_metric') or []) | map(attribute='metric_code') | list -%}
    {%- set seen = [] -%}
    {%- for row in seed_rows('kpi_target') or [] -%}
      {%- set key = [row.model_code or '', row.stage_code or '', row.metric_code or '', row.month_on or ''] -%}
      {%- set label = "Seed kpi_target, row " ~ key | join(', ') -%}
      {%- do _require(row.model_code in stages, label ~ ": the model does not exist; use one of: " ~ stages | sort | join(', ') ~ ".") -%}
      {%- do _require(row.stage_code in stages[row.model_code], label ~ ": the model has no such stage; use one of: " ~ stages[row.model_code] | sort | join(', ') ~ ".") -%}
      {%- do _require(row.metric_code in known, label ~ ": the metric is no row of the seed stage_metric; use one of: " ~ known | sort | join(', ') ~ ".") -%}
      {%- do _require(_is_date(row.month_on or '') and row.month_on.endswith('-01'), label ~ ": month_on must be the first day of a month, such as 2026-06-01.") -%}
      {%- do _require(modules.re.match('^-?[0-9]{1,12}([.][0-9]{1,6})?$', row.target_value or ''), label ~ ": target_value must be a plain number such as 0.25, not '" ~ (row.target_value or '') ~ "'.") -%}
      {%- do _require(key not in seen, label ~ ": the target is given twice; keep one row.") -%}
      {%- do seen.append(key) -%}
    {%- endfor -%}
  {%- endif -%}
{% endmacro %}
