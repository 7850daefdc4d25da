{# Metrics of engagement_monthly: {code: [numerator, denominator or none, part or none, days that a cohort needs or none]}. The
   third is the part whose first month says that the source delivers: from then on, no row is 0. Where none is named,
   activity_daily has decided it. #}
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
    'share_registrations': ['invites_joined', none, 'invites', none],
    'lead_events': ['lead_event_count', none, none, none],
    'registrations': ['registration_count', none, none, none],
    'channel_registrations': ['channel_registration_count', none, none, none],
    'activation_rate': ['activated', 'activation_entries', none, none],
    'early_buyer_rate': ['early_buyers', 'registrants', 'order_count', none],
    'orders': ['order_count', none, none, none],
    'new_customers': ['new_buyer_count', none, none, none],
    'net_sales': ['net_sales_amount', none, none, none],
    'aov': ['net_sales_amount', 'rated_order_count', none, none],
    'buyers': ['buyers', none, 'order_count', none],
    'spend_per_buyer': ['buyer_net_sales', 'buyers', 'order_count', none],
    'repurchase_rate_period': ['repeat_buyers', 'buyers', 'order_count', none],
    'purchase_frequency': ['year_orders', 'year_buyers', 'order_count', none],
    'active_customers': ['active_customers', none, 'active_customers', none],
    'referral_rate': ['referrers', 'active_customers', 'invites', none],
    'invites_per_customer': ['invites', 'active_customers', 'invites', none],
    'invite_conversion': ['invites_joined', 'invites', 'invites', none],
    'k_factor': ['invites_joined', 'active_customers', 'invites', none],
    'nps': ['nps_points', 'nps_answers', 'nps_answers', none],
    'promoters_rate': ['nps_promoters', 'nps_answers', 'nps_answers', none],
    'csat': ['csat_satisfied', 'csat_answers', 'csat_answers', none],
    'complaint_rate': ['complaining', 'active_customers', 'complaining', none],
    'first_response_hours': ['first_response_hours', 'responses', 'responses', none],
    'resolution_hours': ['resolution_hours', 'resolutions', 'resolutions', none],
    'reviews_avg': ['review_stars', 'reviews', 'reviews', none],
    'ugc_posts': ['ugc_posts', none, 'ugc_posts', none],
    'ugc_contributors': ['ugc_contributors', none, 'ugc_posts', none],
    'ugc_contributor_rate': ['ugc_contributors', 'active_customers', 'ugc_posts', none],
  } -%}
  {%- for days in [1, 7, 30, 90] -%}
    {%- do metrics.update({'first_purchase_conversion_' ~ days ~ 'd': ['converted_' ~ days, 'convertible', 'order_count', days]}) -%}
  {%- endfor -%}
  {%- for days in [30, 60, 90, 180, 365] -%}
    {%- do metrics.update({'repurchase_rate_' ~ days ~ 'd': ['repurchased_' ~ days, 'first_buyers', 'order_count', days]}) -%}
  {%- endfor -%}
  {%- for cohort, size, source in [('', 'registrants', 'active_customers'), ('buyer_', 'first_buyers', 'order_count')] -%}
    {%- for kind, days in {'d1': 1, 'd7': 7, 'd30': 30, 'd1_7': 7, 'd8_30': 30, 'rolling_d1': 1, 'rolling_d7': 7, 'rolling_d30': 30}.items() -%}
      {%- do metrics.update({cohort ~ 'retention_' ~ kind: [cohort ~ 'retained_' ~ kind, size, source, days]}) -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(metrics) -}}
{% endmacro %}

{# Parts that a customer's coming in counts for: {part: condition on the columns of `entered` in int_engagement__person_months}. #}
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

{# Parts that what customers say and whom they invite counts for: {part: [amount, rows]}. #}
{% macro voice_parts() %}
  {%- set approved = "answers where feedback_kind in ('ugc', 'review') and status = 'approved'" -%}
  {%- set review = approved ~ " and feedback_kind = 'review' and score is not null and scale_max > 0" -%}
  {{- return({
    'nps_answers': ['1', 'answers where nps_rank = 1'],
    'nps_points': ['case when score >= 9 then 100 when score <= 6 then -100 else 0 end', 'answers where nps_rank = 1'],
    'nps_promoters': ['case when score >= 9 then 1 else 0 end', 'answers where nps_rank = 1'],
    'csat_answers': ['1', "answers where feedback_kind = 'csat' and score is not null and scale_max > 0"],
    'csat_satisfied': ['1', "answers where feedback_kind = 'csat' and scale_max > 0 and score >= 0.8 * scale_max"],
    'reviews': ['1', review],
    'review_stars': ['5 * score / nullif(scale_max, 0)', review],
    'responses': ['1', 'answers where first_response_hours >= 0'],
    'first_response_hours': ['first_response_hours', 'answers where first_response_hours >= 0'],
    'resolutions': ['1', 'answers where resolution_hours >= 0'],
    'resolution_hours': ['resolution_hours', 'answers where resolution_hours >= 0'],
    'ugc_posts': ['1', approved],
    'invites': ['1', 'invites where month_on is not null'],
    'invites_joined': ['1', 'invites where month_on is not null and is_joined'],
  }) -}}
{% endmacro %}

{# Parts that count a customer once a month, however often: {part: [month, rows]}. #}
{% macro person_parts() %}
  {{- return({
    'active_customers': [month_of('day_on'), 'active_days'],
    'complaining': ['month_on', "answers where feedback_kind = 'complaint' and is_identified"],
    'ugc_contributors': ['month_on', "answers where feedback_kind in ('ugc', 'review') and status = 'approved' and is_identified"],
    'referrers': [month_of('succeeded_on'), 'invites where succeeded_on is not null'],
  }) -}}
{% endmacro %}

{# Rows of every part: customer_id, month_on, part, amount. Reads the relations `entered`, `active_days`, `answers`, `invites`. #}
{% macro person_part_rows() %}
  {%- for part, condition in entry_parts().items() %}
    select customer_id, month_on, '{{ part }}' as part, 1 as amount from entered where {{ condition }}
    union all
  {%- endfor %}
  {%- for part, facts in person_parts().items() %}
    select distinct customer_id, {{ facts[0] }} as month_on, '{{ part }}' as part, 1 as amount from {{ facts[1] }}
    union all
  {%- endfor %}
  {%- for part, facts in voice_parts().items() %}
    select customer_id, month_on, '{{ part }}' as part, {{ facts[0] }} as amount from {{ facts[1] }}
    {%- if not loop.last %} union all{% endif %}
  {%- endfor %}
{%- endmacro %}

{# Rows of the metrics: metric_code, numerator_part, denominator_part and source_part ('' for none), window_days (NULL for none). #}
{% macro engagement_metric_rows() %}
  {%- for metric_code, facts in engagement_metrics().items() %}
    select '{{ metric_code }}' as metric_code, '{{ facts[0] }}' as numerator_part, '{{ facts[1] or '' }}' as denominator_part,
      '{{ facts[2] or '' }}' as source_part, cast({{ facts[3] or 'null' }} as bigint) as window_days
    {%- if not loop.last %} union all{% endif %}
  {%- endfor %}
{%- endmacro %}
