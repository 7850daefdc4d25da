{# Metrics of engagement_monthly: {code: [numerator, denominator or none, what must have been landed or none, days that a cohort
   needs or none]}. The first two are parts that the model counts. Where nothing is named to be landed, the part says so by
   being NULL. #}
{% macro engagement_metrics() %}
  {%- set metrics = {
    'mau': ['month_active_count', none, none, none],
    'dau_mean': ['dau_mean', none, none, none],
    'stickiness': ['dau_mean', 'month_active_count', none, none],
    'sessions': ['session_count', none, none, none],
    'session_seconds': ['session_seconds', 'session_count', none, none],
    'impressions': ['impression_count', none, none, none],
    'clicks': ['click_count', none, none, none],
    'ctr': ['click_count', 'impression_count', none, none],
    'views': ['view_count', none, none, none],
    'shares': ['share_count', none, none, none],
    'share_visits': ['share_visit_count', none, none, none],
    'share_registrations': ['joined', none, 'referral', none],
    'lead_events': ['lead_event_count', none, none, none],
    'registrations': ['registration_count', none, none, none],
    'channel_registrations': ['channel_registration_count', none, none, none],
    'activation_rate': ['activated', 'activation_entries', none, none],
    'early_buyer_rate': ['early_buyers', 'registrants', 'order', none],
    'orders': ['order_count', none, none, none],
    'new_customers': ['new_buyer_count', none, none, none],
    'net_sales': ['net_sales_amount', none, none, none],
    'aov': ['net_sales_amount', 'rated_order_count', none, none],
    'buyers': ['buyers', none, 'order', none],
    'spend_per_buyer': ['buyer_net_sales', 'buyers', 'order', none],
    'repurchase_rate_period': ['repeat_buyers', 'buyers', 'order', none],
    'purchase_frequency': ['year_orders', 'year_buyers', 'order', none],
    'active_customers': ['active_customers', none, 'day', none],
    'referral_rate': ['referrers', 'active_customers', 'referral', none],
    'invites_per_customer': ['invites', 'active_customers', 'referral', none],
    'invite_conversion': ['invites_joined', 'invites', 'referral', none],
    'k_factor': ['invites_joined', 'active_customers', 'referral', none],
    'nps': ['nps_points', 'nps_answers', 'nps', none],
    'promoters_rate': ['nps_promoters', 'nps_answers', 'nps', none],
    'csat': ['csat_satisfied', 'csat_answers', 'csat', none],
    'complaint_rate': ['complaining', 'active_customers', 'complaint', none],
    'first_response_hours': ['first_response_hours', 'responses', 'ticket', none],
    'resolution_hours': ['resolution_hours', 'resolutions', 'ticket', none],
    'reviews_avg': ['review_stars', 'reviews', 'review', none],
    'ugc_posts': ['ugc_posts', none, 'ugc', none],
    'ugc_contributors': ['ugc_contributors', none, 'ugc', none],
    'ugc_contributor_rate': ['ugc_contributors', 'active_customers', 'ugc', none],
  } -%}
  {%- for days in [1, 7, 30, 90] -%}
    {%- do metrics.update({'first_purchase_conversion_' ~ days ~ 'd': ['converted_' ~ days, 'convertible', 'order', days]}) -%}
  {%- endfor -%}
  {%- for days in [30, 60, 90, 180, 365] -%}
    {%- do metrics.update({'repurchase_rate_' ~ days ~ 'd': ['repurchased_' ~ days, 'first_buyers', 'order', days]}) -%}
  {%- endfor -%}
  {%- for cohort, size in {'': 'registrants', 'buyer_': 'first_buyers'}.items() -%}
    {%- for kind, days in {'d1': 1, 'd7': 7, 'd30': 30, 'd1_7': 7, 'd8_30': 30, 'rolling_d1': 1, 'rolling_d7': 7, 'rolling_d30': 30}.items() -%}
      {%- do metrics.update({cohort ~ 'retention_' ~ kind: [cohort ~ 'retained_' ~ kind, size, 'day', days]}) -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(metrics) -}}
{% endmacro %}

{# Parts of the cohorts: {part: condition on int_engagement__entries that counts an entry}. #}
{% macro entry_parts() %}
  {%- set registered = "entry_event = 'registration'" -%}
  {%- set bought = "entry_event = 'first_purchase'" -%}
  {%- set parts = {
    'registrants': registered,
    'first_buyers': bought,
    'early_buyers': registered ~ ' and first_order_days < 0',
    'convertible': registered ~ ' and coalesce(first_order_days, 0) >= 0',
  } -%}
  {%- for days in [1, 7, 30, 90] -%}
    {%- do parts.update({'converted_' ~ days: registered ~ ' and first_order_days between 0 and ' ~ days}) -%}
  {%- endfor -%}
  {%- for days in [30, 60, 90, 180, 365] -%}
    {%- do parts.update({'repurchased_' ~ days: bought ~ ' and second_order_days <= ' ~ days}) -%}
  {%- endfor -%}
  {%- for cohort, is_it in {'': registered, 'buyer_': bought}.items() -%}
    {%- for kind in ['d1', 'd7', 'd30', 'd1_7', 'd8_30'] -%}
      {%- do parts.update({cohort ~ 'retained_' ~ kind: is_it ~ ' and is_active_' ~ kind ~ ' = 1'}) -%}
    {%- endfor -%}
    {%- for days in [1, 7, 30] -%}
      {%- do parts.update({cohort ~ 'retained_rolling_d' ~ days: is_it ~ ' and last_active_days >= ' ~ days}) -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(parts) -}}
{% endmacro %}
