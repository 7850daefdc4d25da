{# SQL that reads a contract value from text: NULL when the text is not a value of the type. A pattern decides first,
   because a cast alone accepts 0x1F, 1_000 and 1e400. #}

{% macro typed(column) %}
  {%- set text = 'raw_' ~ column.name -%}
  {%- if column.type == 'string' -%}
    {%- if column.accepted_values -%}
      {{- return("case when lower(trim(" ~ text ~ ")) in ('" ~ column.accepted_values | join("', '") ~ "') then lower(trim(" ~ text ~ ")) when trim(" ~ text ~ ") <> '' then 'other' end") -}}
    {%- elif column.name == 'currency' or column.name.endswith('_currency') -%}
      {{- return("case when " ~ re_match('trim(' ~ text ~ ')', '^[A-Za-z]{3}$') ~ " then upper(trim(" ~ text ~ ")) end") -}}
    {%- elif column.name in ('source_system', 'source_record_id') or column.name.endswith('_ref') -%}
      {{- return(clean_key(text)) -}}
    {%- else -%}
      {{- return("nullif(" ~ text ~ ", '')") -}}
    {%- endif -%}
  {%- elif column.type == 'timestamp' -%}
    {{- return(typed_timestamp("trim(" ~ text ~ ")")) -}}
  {%- elif column.type == 'date' -%}
    {{- return("case when " ~ re_match("trim(" ~ text ~ ")", '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') ~ " then try_cast(trim(" ~ text ~ ") as date) end") -}}
  {%- elif column.type == 'boolean' -%}
    {{- return("case when lower(trim(" ~ text ~ ")) in ('true', 't', 'yes', '1') then true when lower(trim(" ~ text ~ ")) in ('false', 'f', 'no', '0') then false end") -}}
  {%- elif column.type == 'bigint' -%}
    {{- return("case when " ~ re_match("trim(" ~ text ~ ")", '^[0-9]{1,18}$') ~ " then try_cast(trim(" ~ text ~ ") as bigint) end") -}}
  {%- elif column.type == 'decimal(18,4)' -%}
    {{- return("case when " ~ re_match("trim(" ~ text ~ ")", '^-?[0-9]{1,14}([.][0-9]{1,4})?$') ~ " then try_cast(trim(" ~ text ~ ") as decimal(18,4)) end") -}}
  {%- elif column.type == 'decimal(9,6)' -%}
    {{- return("case when " ~ re_match("trim(" ~ text ~ ")", '^-?[0-9]{1,3}([.][0-9]{1,6})?$') ~ " then try_cast(trim(" ~ text ~ ") as decimal(9,6)) end") -}}
  {%- endif -%}
  {{- exceptions.raise_compiler_error("Column " ~ column.name ~ " of the input contract has the unknown type '" ~ column.type ~ "'.") -}}
{% endmacro %}

{# A day alone is a local midnight of the business time zone; an offset is obeyed; anything else is wall-clock time of the
   source's zone. Zone names, epochs and other orders of day and month are not guessed. #}
{% macro typed_timestamp(text) %}
  {%- set stamp = '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?' -%}
  {%- set sql -%}
    case
      when {{ text }} is null then null
      when {{ re_match(text, stamp ~ '$') }} then
        case when _timezone = 'UTC' then try_cast({{ text }} as timestamp)
             else {{ local_to_utc('try_cast(' ~ text ~ ' as timestamp)', '_timezone') }} end
      when {{ re_match(text, stamp ~ '(Z|[+-][0-9]{2}:[0-9]{2})$') }} then {{ offset_to_utc(text) }}
      when {{ re_match(text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') }} then
        {{ local_to_utc('try_cast(' ~ text ~ ' as timestamp)', setting_text('business_timezone')) }}
    end
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# A moment outside the plausible range is as unusable as an unreadable one: NULL. Other values pass as they are. #}
{% macro plausible(column, value) %}
  {%- if column.type == 'timestamp' and (column.required or not may_lie_ahead(column.name)) -%}
    {{- return("case when " ~ value ~ " >= cast(" ~ setting_text('earliest_plausible_on') ~ " as timestamp) and " ~ value ~ " <= cast(_landed_at + interval '1' day as timestamp) then " ~ value ~ " end") -}}
  {%- elif column.type == 'date' and column.required -%}
    {{- return("case when " ~ value ~ " >= cast(" ~ setting_text('earliest_plausible_on') ~ " as date) and " ~ value ~ " <= cast(" ~ local_day('_landed_at') ~ " + 1 as date) then " ~ value ~ " end") -}}
  {%- endif -%}
  {{- return(value) -}}
{% endmacro %}
