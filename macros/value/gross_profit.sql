{# Gross profit of one order in the reporting currency: the margin of its lines, scaled down by the share of the payment that
   was returned, less what was given back while the goods stayed with the buyer (price adjustments and chargebacks). NULL
   when no line's margin is known. All four arguments are money columns of the order. #}
{% macro order_gross_profit(margin, paid, returned, given_back) %}
  {{- return("cast(round(cast(" ~ margin ~ " as double) * cast(" ~ paid ~ " - " ~ returned ~ " as double) / nullif(cast(" ~ paid ~ " as double), 0), 6) as decimal(20,6)) - " ~ given_back) -}}
{% endmacro %}

{# True for the refund kinds that leave the goods with the buyer. #}
{% macro keeps_goods(refund_kind) %}
  {{- return("(" ~ refund_kind ~ " in ('price_adjust', 'chargeback'))") -}}
{% endmacro %}
