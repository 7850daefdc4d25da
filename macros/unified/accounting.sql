{# Entities of the contract, in its order. #}
{% macro entities() %}
  {{- return(['account', 'identity_link', 'event', 'order_header', 'order_line', 'refund', 'product', 'spend', 'touch',
              'campaign', 'benefit', 'feedback', 'referral', 'subscription', 'privacy_event']) -}}
{% endmacro %}
