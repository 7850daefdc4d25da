{# Code of the channel that a raw text names: the seed channel_map knows it, or the text itself, folded, is the code. Nothing
   is lost to a collective `other`, and spend joins the customers that it won even where the map is silent. #}
{% macro join_channel(raw, alias='channel') %}
left join {{ ref('channel_map') }} as {{ alias }} on {{ alias }}.raw_value = lower(trim({{ raw }}))
{% endmacro %}

{% macro channel_code(raw, alias='channel') %}
  {{- return("coalesce(" ~ alias ~ ".channel_code, nullif(lower(trim(" ~ raw ~ ")), ''))") -}}
{% endmacro %}
