{# Expected net sales in the first `days` days, from columns <alias>.expected_30d .. expected_365d that say it of four horizons; what
   lies between two of them is spread evenly. Beyond the last one nothing is known, so nothing is added. #}
{% macro clv_expected_within(alias, days) -%}
{% set steps = [(0, 30), (30, 90), (90, 180), (180, 365)] -%}
{% for first, last in steps -%}
{% set before = alias ~ '.expected_' ~ first ~ 'd' -%}
{% set added = alias ~ '.expected_' ~ last ~ 'd' ~ (' - ' ~ before if first) -%}
({{ added }}) * least(greatest({{ days }} - {{ first }}, 0), {{ last - first }}) / {{ last - first }}.0
{%- if not loop.last %} + {% endif -%}
{%- endfor %}
{%- endmacro %}
