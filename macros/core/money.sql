{# Money in the reporting currency, at the rate of the fact's own day. The reporting currency converts to itself at 1 and needs
   no rate row; without a rate the amount is NULL, so that it is counted apart and never guessed from another day. #}
{% macro join_rate(currency, day, alias='fx') %}
left join {{ ref('fx_rate') }} as {{ alias }}
    on {{ alias }}.from_currency = {{ currency }}
    and {{ alias }}.to_currency = {{ setting_text('reporting_currency') }}
    and {{ alias }}.rate_on = {{ day }}
{% endmacro %}

{% macro rate_of(currency, alias='fx') %}
  {{- return("case when " ~ currency ~ " = " ~ setting_text('reporting_currency') ~ " then cast(1 as decimal(18,8)) else " ~ alias ~ ".rate end") -}}
{% endmacro %}

{# Amount times rate, rounded to the four places of money; NULL when the product has no room in the type. #}
{% macro converted(amount, rate) %}
  {{- return("try_cast(round(" ~ amount ~ " * " ~ rate ~ ", 4) as decimal(18,4))") -}}
{% endmacro %}

{# Amount without its share of the order's tax when the setting net_of_tax asks for it; as it stands otherwise. The whole
   amount gives exactly paid minus tax, so that a full refund leaves nothing behind. #}
{% macro less_tax(amount, paid, tax) %}
  {%- if not setting('net_of_tax') -%}{{- return(amount) -}}{%- endif -%}
  {{- return("case when coalesce(" ~ tax ~ ", 0) = 0 or coalesce(" ~ paid ~ ", 0) = 0 then " ~ amount
    ~ " when " ~ amount ~ " = " ~ paid ~ " then cast(" ~ paid ~ " - " ~ tax ~ " as decimal(18,4))"
    ~ " else cast(round(cast(" ~ amount ~ " as double) * cast(" ~ paid ~ " - " ~ tax ~ " as double) / cast(nullif(" ~ paid ~ ", 0) as double), 4) as decimal(18,4)) end") -}}
{% endmacro %}

{% macro as_money(expression) %}{{- return("cast(" ~ expression ~ " as decimal(18,4))") -}}{% endmacro %}
