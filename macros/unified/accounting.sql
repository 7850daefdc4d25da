{# Entities of the contract, in its order. #}
{% macro entities() %}
  {{- return(['account', 'identity_link', 'event', 'order_header', 'order_line', 'refund', 'product', 'spend', 'touch',
              'campaign', 'benefit', 'feedback', 'referral', 'subscription', 'privacy_event']) -}}
{% endmacro %}

{# Money that is reconciled: entity, the column that gives its day (none for a line, which has no day of its own) and
   its money columns. #}
{% macro reconciled_measures() %}
  {{- return({
    'order_header': {'day': 'ordered_at', 'measures': ['paid_amount']},
    'order_line': {'day': none, 'measures': ['line_paid']},
    'refund': {'day': 'refunded_at', 'measures': ['amount']},
    'spend': {'day': 'spend_date', 'measures': ['cost']},
    'benefit': {'day': 'entry_at', 'measures': ['cash_value']},
    'event': {'day': 'event_at', 'measures': ['value']},
  }) -}}
{% endmacro %}

{# Day of a record in the business time zone, from its typed moment or date; NULL where it cannot be read. #}
{% macro reconciled_day(entity, column) %}
  {%- if column is none -%}{{- return('cast(null as date)') -}}{%- endif -%}
  {{- return(column if entity == 'spend' else local_day(column)) -}}
{% endmacro %}
