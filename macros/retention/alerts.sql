{# The alerts are rows that a marketer reviews: the seed alert_rule, with the numbers of the seed business_profile. They are
   resolved for every business type when a run starts (validate_rules) or a model asks; a row that cannot work stops it with a sentence. #}

{# {rules: [{alert_code, business_type, feature, value, cycle_ratio, least, ratio, severity}], outage_window_ratio, outage_day_ratio},
   one rule for each alert and business type. Empty while dbt parses, and when the documentation is generated before the seeds were ever built. #}
{% macro alert_rulebook() %}
  {%- set book = {'rules': [], 'outage_window_ratio': '0', 'outage_day_ratio': '0'} -%}
  {%- if not execute -%}
    {%- do [ref('alert_rule'), ref('business_profile')] -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- set rows = seed_rows('alert_rule') -%}
  {%- set profile_rows = seed_rows('business_profile') -%}
  {%- if rows is none or profile_rows is none -%}
    {%- do _require(flags.WHICH in ['compile', 'generate'], "The alert seeds have not been built; run `dbt seed`, or `dbt build` without a selection.") -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- set profiles = _lifecycle_profiles(profile_rows) -%}
  {%- for key in ['outage_window_ratio', 'outage_day_ratio'] -%}
    {%- set value = _lifecycle_parameter(profiles, '*', '*', key)[1] -%}
    {%- do _require(value is not none and 0 <= value | float <= 1, "Seed business_profile needs a row *, *, " ~ key ~ " with a number from 0 to 1; 0 means that no outage is looked for.") -%}
    {%- do book.update({key: value}) -%}
  {%- endfor -%}
  {%- set by_code = {} -%}
  {%- for row in rows -%}
    {%- set label = "Seed alert_rule, row " ~ row.alert_code ~ ", " ~ row.business_type -%}
    {%- do _require(modules.re.match('^[a-z][a-z0-9_]*$', row.alert_code), label ~ ": alert_code must be lower-case words joined by _.") -%}
    {%- do _require(row.business_type in profiles, label ~ ": the business type has no rows in the seed business_profile.") -%}
    {%- do _require(row.feature in ['last_order_days', 'last_active_days', 'sub_days_to_end', 'active_days_ratio'], label ~ " looks at '" ~ row.feature ~ "', which does not exist; use one of: active_days_ratio, last_active_days, last_order_days, sub_days_to_end.") -%}
    {%- do _require(row.severity in ['low', 'medium', 'high'], label ~ ": severity must be low, medium or high, not '" ~ row.severity ~ "'.") -%}
    {%- do _require(row.ratio is not none and 0 < row.ratio | float <= 1, label ~ ": ratio must be above 0 and at most 1, not '" ~ row.ratio ~ "'.") -%}
    {%- set named = by_code.setdefault(row.alert_code, {}) -%}
    {%- do _require(row.business_type not in named, label ~ ": the alert is given twice; keep one row.") -%}
    {%- do named.update({row.business_type: row}) -%}
  {%- endfor -%}
  {%- for business_type in profiles | reject('equalto', '*') | sort -%}
    {%- for alert_code, named in by_code.items() if business_type in named or '*' in named -%}
      {%- do book.rules.append(_alert_rule(named.get(business_type, named.get('*')), business_type, profiles)) -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(book) -}}
{% endmacro %}

{# One row of the seed for a business type, with its numbers. #}
{% macro _alert_rule(row, business_type, profiles) %}
  {%- set label = "Seed alert_rule, row " ~ row.alert_code ~ ", " ~ row.business_type -%}
  {%- set value = _lifecycle_parameter(profiles, business_type, '*', row.param_key)[1] -%}
  {%- do _require(value is not none, label ~ " uses the parameter '" ~ row.param_key ~ "', but the seed business_profile gives it no value for business type '" ~ business_type ~ "' or '*'.") -%}
  {%- set is_share = row.feature == 'active_days_ratio' -%}
  {%- do _require(modules.re.match('^[0-9]+([.][0-9]+)?$' if is_share else '^[0-9]+$', value), label ~ ": " ~ row.feature ~ " must be compared with " ~ ("a plain number" if is_share else "a whole number of days") ~ ", not with '" ~ value ~ "' (business type '" ~ business_type ~ "').") -%}
  {%- set least = _lifecycle_parameter(profiles, business_type, '*', 'fall_min')[1] -%}
  {%- do _require(not is_share or (least is not none and least | float >= 1), label ~ ": the parameter fall_min of business type '" ~ business_type ~ "' must be 1 or more: nothing can fall from less.") -%}
  {%- set cycle_ratio = _lifecycle_parameter(profiles, business_type, '*', row.param_key | replace('_days', '_cycle_ratio'))[1] if row.feature == 'last_order_days' else none -%}
  {{- return({'alert_code': row.alert_code, 'business_type': business_type, 'feature': row.feature, 'value': value, 'cycle_ratio': cycle_ratio, 'least': least if is_share else none, 'ratio': row.ratio, 'severity': row.severity}) -}}
{% endmacro %}

{# Rules as rows, those that wait for a number of days or, with is_share, those that compare shares. #}
{% macro alert_rule_rows(is_share=false) %}
  {%- for rule in alert_rulebook().rules if (rule.feature == 'active_days_ratio') == is_share %}
    select
        '{{ rule.alert_code }}' as alert_code,
        '{{ rule.business_type }}' as business_type,
        '{{ rule.feature }}' as feature,
        cast({{ rule.value }} as decimal(9, 4)) as threshold_value,
        cast({{ rule.cycle_ratio or 'null' }} as decimal(9, 4)) as cycle_ratio,
        cast({{ rule.least or 'null' }} as decimal(9, 4)) as least_value,
        cast({{ rule.ratio }} as decimal(9, 4)) as ratio,
        '{{ rule.severity }}' as severity
    {%- if not loop.last %}
    union all
    {%- endif %}
  {%- else %}
    select
        cast(null as string) as alert_code,
        cast(null as string) as business_type,
        cast(null as string) as feature,
        cast(null as decimal(9, 4)) as threshold_value,
        cast(null as decimal(9, 4)) as cycle_ratio,
        cast(null as decimal(9, 4)) as least_value,
        cast(null as decimal(9, 4)) as ratio,
        cast(null as string) as severity
    where 1 = 0
  {%- endfor %}
{%- endmacro %}

{# Part of its usual level below which the activity of everybody is an outage: of the 28 days before for a window of 28 days
   ('window'), of the median day of the 28 before for a day ('day'). #}
{% macro alert_outage_ratio(span) %}{{ return('cast(' ~ alert_rulebook()['outage_' ~ span ~ '_ratio'] ~ ' as decimal(9, 4))') }}{% endmacro %}
