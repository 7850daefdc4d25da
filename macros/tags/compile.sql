{# SQL made from the tagbook (see tagbook.sql). #}

{# Codes of the active tags. #}
{% macro tag_codes() %}{{ return(tagbook().tags.keys() | list) }}{% endmacro %}

{# Texts that some tag reads. #}
{% macro tag_texts() %}{{ return(tagbook().texts) }}{% endmacro %}

{# Relation (told_by, word) of the tags that sources state, each word between the separators of a list. #}
{% macro tag_words() %}
  {%- set words = [] -%}
  {%- for tag in tagbook().tags.values() if tag.stated_as -%}
    {%- do words.append("select '" ~ tag.feature ~ "' as told_by, '|" ~ (tag.stated_as | lower | replace("'", "''")) ~ "|' as word") -%}
  {%- endfor -%}
  {{- return(words | join(' union all ') or "select '' as told_by, '||' as word where 1 = 0") -}}
{% endmacro %}

{# Counts of active days in a window, which tags count for themselves. #}
{% macro tag_windows() %}{{ return(['active_days_28', 'active_days_prev28']) }}{% endmacro %}

{# Everything that is told and holds until it is told anew. #}
{% macro tag_told_names() %}{{ return(tag_windows() + tag_texts()) }}{% endmacro %}

{# What has a day of its own, as a list for IN. #}
{% macro tag_told_list() %}{{ return(_quoted(['state', 'retirement'] + tag_told_names())) }}{% endmacro %}

{# Days on which a tag is retired. #}
{% macro tag_retirement_days() %}
  {{- return(tagbook().tags.values() | map(attribute='retired_on') | reject('none') | unique | sort) -}}
{% endmacro %}

{# Day on which the value of a tag ends unless it is told again, one SQL expression for each tag with a time to live. #}
{% macro tag_expiry_days() %}
  {%- set days = [] -%}
  {%- for tag in tagbook().tags.values() if tag.ttl_days is not none -%}
    {%- do days.append(days_later(tag.feature ~ '_on', tag.ttl_days)) -%}
  {%- endfor -%}
  {{- return(days | unique | list) -}}
{% endmacro %}

{# The moments at which time alone changes a tag: see lifecycle_ripening. #}
{% macro tag_ripening(known) %}{{ lifecycle_ripening(known, tagbook().models) }}{% endmacro %}

{# Value of a tag on the day `day_on`, before other tags of its group are looked at; NULL for who does not have it. #}
{% macro tag_value(code) %}
  {%- set tag = tagbook().tags[code] -%}
  {%- if tag.feature is none -%}
    {%- set value = _lifecycle_by_type(tag.by_type) if tag.by_type else 'cast(null as string)' -%}
  {%- elif tag.ttl_days is none -%}
    {%- set value = tag.feature -%}
  {%- else -%}
    {%- set value = 'case when day_on < ' ~ days_later(tag.feature ~ '_on', tag.ttl_days) ~ ' then ' ~ tag.feature ~ ' end' -%}
  {%- endif -%}
  {{- return(value if tag.retired_on is none else "case when day_on < cast('" ~ tag.retired_on ~ "' as date) then " ~ value ~ ' end') -}}
{% endmacro %}

{# The same after the group: a tag is not given while one of its group that comes before it is. #}
{% macro tag_standing(code) %}
  {%- set tag = tagbook().tags[code] -%}
  {{- return('case when ' ~ tag.beaten_by | join(' is null and ') ~ ' is null then ' ~ code ~ ' end' if tag.beaten_by else code) -}}
{% endmacro %}
