{# A product stands once in a basket; the files have no date of change, so two contradicting lines leave none. #}
{% macro completejourney_line_versions() %}
  {{- return({'key': ['basket_id', 'product_id'], 'order': []}) -}}
{% endmacro %}

{% macro completejourney_lookups() %}
  {{- return({'coupons': {'key': ['coupon_upc', 'product_id', 'campaign_id'], 'order': []}}) -}}
{% endmacro %}
