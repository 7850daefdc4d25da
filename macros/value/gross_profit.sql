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

{# Where the cost of most of what was paid comes from, of the columns <source>_cost_paid_amount; NULL where no cost is known. #}
{% macro margin_source() %}
  {%- set sources = ['line', 'product', 'category', 'default'] -%}
  {%- set amounts = [] -%}
  {%- for source in sources %}{% do amounts.append(source ~ '_cost_paid_amount') %}{% endfor -%}
  {%- set all = amounts | join(', ') -%}
  case when coalesce({{ amounts | join(' + ') }}, 0) = 0 then null
  {%- for source in sources %} when {{ source }}_cost_paid_amount = greatest({{ all }}) then '{{ source }}'{% endfor %} end
{%- endmacro %}
