{# The only reader of vars, so that a setting's name can be found with one search. #}
{% macro setting(name) %}
  {{- return(var(name)) -}}
{% endmacro %}

{# A text setting as a SQL literal. Values are validated before the first model runs, and quotes are doubled here all the
   same, because --vars is untrusted text. #}
{% macro setting_text(name) %}
  {{- return("'" ~ (setting(name) | string | replace("'", "''")) ~ "'") -}}
{% endmacro %}

{% macro _require(condition, sentence) %}
  {% if not condition %}{{ exceptions.raise_compiler_error(sentence) }}{% endif %}
{% endmacro %}

{% macro _is_date(text) %}
  {% set parts = (text | string).split('-') %}
  {% if not modules.re.match('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', text | string) %}{{ return(false) }}{% endif %}
  {% set month = parts[1] | int %}
  {% set day = parts[2] | int %}
  {% set year = parts[0] | int %}
  {% set leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 %}
  {% set days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] %}
  {{ return(1 <= month <= 12 and 1 <= day <= days[(month - 1) if 1 <= month <= 12 else 0]) }}
{% endmacro %}

{# Stops a run with one sentence that names the setting, before anything is built from a bad value. #}
{% macro validate_settings() %}
  {% if execute %}
    {% set entities = ['account', 'identity_link', 'event', 'order_header', 'order_line', 'refund', 'product', 'spend', 'touch',
                       'campaign', 'benefit', 'feedback', 'referral', 'subscription', 'privacy_event', 'lookup'] %}
    {% set channels = setting('channels') %}
    {% do _require(channels is mapping, "Setting channels must map each channel to a list of entities.") %}
    {% set known = graph.sources.values() | map(attribute='source_name') | list %}
    {% for channel, fed in channels.items() %}
      {% do _require(channel in known, "Setting channels names the channel '" ~ channel ~ "', but there is no models/staging/" ~ channel ~ "/_" ~ channel ~ "__sources.yml; add it, or remove the channel from the setting.") %}
      {% for entity in fed %}
        {% do _require(entity in entities, "Setting channels: channel '" ~ channel ~ "' feeds '" ~ entity ~ "', which is no entity; use some of: " ~ entities | join(', ') ~ ".") %}
      {% endfor %}
    {% endfor %}
    {% if setting('as_of') is not none %}
      {% do _require(_is_date(setting('as_of')), "Setting as_of must be a day such as 2026-06-30, not '" ~ setting('as_of') ~ "'.") %}
    {% endif %}
    {% do _require(_is_date(setting('earliest_plausible_on')), "Setting earliest_plausible_on must be a day such as 2000-01-01, not '" ~ setting('earliest_plausible_on') ~ "'.") %}
    {% do _require(modules.re.match('^[A-Za-z]+(/[A-Za-z0-9_+-]+)*$', setting('business_timezone') | string), "Setting business_timezone must be a zone name such as Asia/Shanghai, not '" ~ setting('business_timezone') ~ "'.") %}
    {% do _require(modules.re.match('^[A-Z]{3}$', setting('reporting_currency') | string), "Setting reporting_currency must be three capital letters such as CNY, not '" ~ setting('reporting_currency') ~ "'.") %}
    {% do _require(setting('net_of_tax') is boolean, "Setting net_of_tax must be true or false, not '" ~ setting('net_of_tax') ~ "'.") %}
    {% do _require(setting('fold_gmail') is boolean, "Setting fold_gmail must be true or false, not '" ~ setting('fold_gmail') ~ "'.") %}
    {% do _require(modules.re.match('^[a-z_]+$', setting('default_business_type') | string), "Setting default_business_type must be a code of the seed business_profile, not '" ~ setting('default_business_type') ~ "'.") %}
    {% do _require(setting('max_quarantined_share') is number and 0 <= setting('max_quarantined_share') <= 1, "Setting max_quarantined_share must lie between 0 and 1, not '" ~ setting('max_quarantined_share') ~ "'.") %}
    {% do _require(setting('max_refused_files') is integer and setting('max_refused_files') >= 0, "Setting max_refused_files must be a whole number from 0 on, not '" ~ setting('max_refused_files') ~ "'.") %}
    {% do _require(setting('identity_degree_cap') is integer and 2 <= setting('identity_degree_cap') <= 1000, "Setting identity_degree_cap must lie between 2 and 1000, not '" ~ setting('identity_degree_cap') ~ "'.") %}
    {% do _require(setting('identity_login_days_before') is integer and 0 <= setting('identity_login_days_before') <= 365, "Setting identity_login_days_before must lie between 0 and 365, not '" ~ setting('identity_login_days_before') ~ "'.") %}
    {% do _require(setting('identity_login_days_after') is integer and 0 <= setting('identity_login_days_after') <= 3650, "Setting identity_login_days_after must lie between 0 and 3650, not '" ~ setting('identity_login_days_after') ~ "'.") %}
    {% do _require(setting('identity_max_rounds') is integer and 5 <= setting('identity_max_rounds') <= 200, "Setting identity_max_rounds must lie between 5 and 200, not '" ~ setting('identity_max_rounds') ~ "'.") %}
    {% do _require(setting('identity_probabilistic') is boolean, "Setting identity_probabilistic must be true or false, not '" ~ setting('identity_probabilistic') ~ "'.") %}
    {% do _require(setting('identity_probabilistic_accept') is number and 0.5 <= setting('identity_probabilistic_accept') <= 1, "Setting identity_probabilistic_accept must lie between 0.5 and 1, not '" ~ setting('identity_probabilistic_accept') ~ "'.") %}
    {% do _require(setting('identity_probabilistic_review') is number and 0.5 <= setting('identity_probabilistic_review') <= 1, "Setting identity_probabilistic_review must lie between 0.5 and 1, not '" ~ setting('identity_probabilistic_review') ~ "'.") %}
    {% do _require(setting('identity_probabilistic_model') is none or (setting('identity_probabilistic_model') | string).endswith('.json'), "Setting identity_probabilistic_model must name a .json file, or be null, not '" ~ setting('identity_probabilistic_model') ~ "'.") %}
    {% do _require(setting('rfm_method') in ['quantile', 'fixed'], "Setting rfm_method must be quantile or fixed, not '" ~ setting('rfm_method') ~ "'.") %}
    {% do _require(setting('rfm_class_cut') in ['mean', 'median', 'fixed'], "Setting rfm_class_cut must be mean, median or fixed, not '" ~ setting('rfm_class_cut') ~ "'.") %}
    {% do _require(setting('rfm_axis') in ['fm', 'f'], "Setting rfm_axis must be fm or f, not '" ~ setting('rfm_axis') ~ "'.") %}
    {% do _require(modules.re.match('^[A-Za-z0-9_-]+$', setting('rfm_config_name') | string), "Setting rfm_config_name must be a config_name of the seed rfm_config, not '" ~ setting('rfm_config_name') ~ "'.") %}
    {% do _require(setting('rfm_freeze_cuts') in ['none', 'quarter'], "Setting rfm_freeze_cuts must be none or quarter, not '" ~ setting('rfm_freeze_cuts') ~ "'.") %}
    {% do _require(setting('snapshot_month_ends') is integer and 0 <= setting('snapshot_month_ends') <= 600, "Setting snapshot_month_ends must lie between 0 and 600, not '" ~ setting('snapshot_month_ends') ~ "'.") %}
    {% do _require(setting('replenish_lead_days') is integer and 0 <= setting('replenish_lead_days') <= 60, "Setting replenish_lead_days must lie between 0 and 60, not '" ~ setting('replenish_lead_days') ~ "'.") %}
    {% do _require(setting('retention_window_days') is integer and 1 <= setting('retention_window_days') <= 365, "Setting retention_window_days must lie between 1 and 365, not '" ~ setting('retention_window_days') ~ "'.") %}
    {% do _require(setting('clv_annual_discount_rate') is number and 0 <= setting('clv_annual_discount_rate') <= 1, "Setting clv_annual_discount_rate must lie between 0 and 1, not '" ~ setting('clv_annual_discount_rate') ~ "'.") %}
    {% do _require(setting('clv_bias_limit') is number and 0 <= setting('clv_bias_limit') <= 1, "Setting clv_bias_limit must lie between 0 and 1, not '" ~ setting('clv_bias_limit') ~ "'.") %}
    {% do _require(setting('clv_engine') in ['builtin', 'pymc'], "Setting clv_engine must be builtin or pymc, not '" ~ setting('clv_engine') ~ "'.") %}
    {% if setting('rfm_window_days') is not none %}
      {% do _require(setting('rfm_window_days') is integer and 1 <= setting('rfm_window_days') <= 36500, "Setting rfm_window_days must lie between 1 and 36500, or be null for a lifetime, not '" ~ setting('rfm_window_days') ~ "'.") %}
    {% endif %}
  {% endif %}
{% endmacro %}

{# Stops a run with one sentence when nothing was ever landed, instead of failing in the first model with a file error. #}
{% macro require_landing() %}
  {{- return(adapter.dispatch('require_landing', 'perennial')()) -}}
{% endmacro %}

{% macro default__require_landing() %}{% endmacro %}

{% macro duckdb__require_landing() %}
  {% if execute %}
    {% set root = env_var('PERENNIAL_DATA', 'data') %}
    {% set found = run_query("select count(*) as n from glob('" ~ root ~ "/ledger/files.parquet')") %}
    {% if found.rows[0][0] == 0 %}
      {{ exceptions.raise_compiler_error("Nothing has been landed under " ~ root ~ ": put files into " ~ root ~ "/landing/<channel>/<table>/ (or run `perennial demo`), then run `perennial land`.") }}
    {% endif %}
  {% endif %}
{% endmacro %}
