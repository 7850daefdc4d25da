{# SQL made from the tagbook (see tagbook.sql). #}

{# Value of a tag on the day `day_on`, before other tags of its group are looked at; NULL for who does not have it. #}
{% macro tag_value(tag) %}
  {%- if tag.feature is not none -%}
    {%- set value = tag.feature -%}
    {%- if tag.ttl_days is not none -%}
      {%- set value = 'case when day_on < ' ~ days_later(tag.feature ~ '_on', tag.ttl_days) ~ ' then ' ~ value ~ ' end' -%}
    {%- endif -%}
  {%- elif tag.by_type -%}
    {%- set value = _lifecycle_by_type(tag.by_type) -%}
  {%- else -%}
    {%- set value = 'cast(null as string)' -%}
  {%- endif -%}
  {%- if tag.retired_on is not none -%}
    {%- set value = "case when day_on < cast('" ~ tag.retired_on ~ "' as date) then " ~ value ~ ' end' -%}
  {%- endif -%}
  {{- return(value) -}}
{%- endmacro %}

{# The same after the group: a tag is not given while one of its group that comes before it is. #}
{% macro tag_standing(tag) %}
  {%- if not tag.beaten_by -%}{{- return(tag.code) -}}{%- endif -%}
  {{- return('case when ' ~ tag.beaten_by | join(' is null and ') ~ ' is null then ' ~ tag.code ~ ' end') -}}
{%- endmacro %}

{# Days on which a tag is retired. #}
{% macro tag_retirement_days() %}
  {{- return(tagbook().tags | map(attribute='retired_on') | reject('none') | unique | sort) -}}
{%- endmacro %}
