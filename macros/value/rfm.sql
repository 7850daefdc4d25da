{# Day whose customers make the quantile cuts of a stored day: the day itself, or, with frozen cuts, the last day of the
   quarter before it, so that nobody moves within a quarter only because others did. #}
{% macro rfm_cut_day(as_of) %}
  {%- if setting('rfm_freeze_cuts') == 'quarter' -%}
    {{- return("cast(cast(date_trunc('quarter', " ~ as_of ~ ") as date) - 1 as date)") -}}
  {%- else -%}
    {{- return(as_of) -}}
  {%- endif -%}
{% endmacro %}

{# Score 1 to 5 of a value against four cut columns <prefix>_cut_1..4. Quantile: cuts strictly below the value; fixed: cuts
   at or below it. A cut that does not exist (nobody ordered in the window) is not below anything. #}
{% macro rfm_score(value, prefix) %}
  {%- set sign = '>=' if setting('rfm_method') == 'fixed' else '>' -%}
  {%- set parts = [] -%}
  {%- for cut in range(1, 5) -%}
    {%- do parts.append("case when " ~ value ~ " " ~ sign ~ " " ~ prefix ~ "_cut_" ~ cut ~ " then 1 else 0 end") -%}
  {%- endfor -%}
  {{- return("1 + " ~ parts | join(" + ")) -}}
{% endmacro %}

{# Condition under which a score counts as high in the eight Chinese classes, by the setting rfm_class_cut. #}
{% macro rfm_is_high(letter) %}
  {%- if setting('rfm_class_cut') == 'fixed' -%}
    {{- return("scored." ~ letter ~ "_score >= 4") -}}
  {%- elif setting('rfm_class_cut') == 'median' -%}
    {{- return("scored." ~ letter ~ "_score > population." ~ letter ~ "_median") -}}
  {%- else -%}
    {{- return("scored." ~ letter ~ "_score * population.customers > population." ~ letter ~ "_sum") -}}
  {%- endif -%}
{% endmacro %}

{# Stops the build with a sentence when fixed cuts are asked for and the chosen set does not hold them all. #}
{% macro require_fixed_cuts() %}
  {% set config = ref('rfm_config') %}
  {% if execute and setting('rfm_method') == 'fixed' and config.schema and load_relation(config) is not none %}
    {% set name = setting('rfm_config_name') %}
    {% set found = run_query("select dimension, count(*), count(distinct cut_value), max(cut_number) from " ~ config ~ " where config_name = " ~ setting_text('rfm_config_name') ~ " group by dimension") %}
    {% set complete = [] %}
    {% for row in found.rows %}
      {% if row[1] == 4 and row[2] == 4 and row[3] == 4 %}{% do complete.append(row[0]) %}{% endif %}
    {% endfor %}
    {% for dimension in ['recency', 'frequency', 'monetary'] %}
      {% do _require(dimension in complete, "Setting rfm_method is fixed, but the seed rfm_config does not hold four different " ~ dimension ~ " cuts under config_name '" ~ name ~ "'" ~ (" (money has no default, because no amount suits every brand)" if dimension == 'monetary' and name == 'default' else "") ~ "; add the rows to seeds/rfm_config.csv, or set rfm_method to quantile.") %}
    {% endfor %}
  {% endif %}
{% endmacro %}
