{# Rearrangers of native values into the text that the input contract reads. Text that they do not recognise passes through
   unchanged, so that the unified layer judges it, and not they. #}

{# YYYY/MM/DD with or without HH:MM[:SS], also without leading zeros as spreadsheets write it. #}
{% macro ts_from_slashes(column) %}
  {%- set text = 'trim(' ~ column ~ ')' -%}
  {%- set day = "split_part(" ~ text ~ ", ' ', 1)" -%}
  {%- set time = "split_part(" ~ text ~ ", ' ', 2)" -%}
  {%- set iso_day -%}
    split_part({{ day }}, '/', 1) || '-' || lpad(split_part({{ day }}, '/', 2), 2, '0') || '-' || lpad(split_part({{ day }}, '/', 3), 2, '0')
  {%- endset -%}
  {%- set sql -%}
    case
        when {{ re_match(text, '^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}$') }} then {{ iso_day }}
        when {{ re_match(text, '^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2} [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$') }} then
            {{ iso_day }} || ' ' || lpad(split_part({{ time }}, ':', 1), 2, '0') || ':' || split_part({{ time }}, ':', 2)
            || ':' || coalesce(nullif(split_part({{ time }}, ':', 3), ''), '00')
        else {{ column }}
    end
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# Whole seconds since 1970 in UTC; 0 means that the thing never happened. #}
{% macro ts_from_epoch_s(column) %}
  {%- set sql -%}
    case
        when trim({{ column }}) = '0' then null
        when {{ re_match('trim(' ~ column ~ ')', '^[0-9]{1,11}$') }} then {{ epoch_s_to_text('trim(' ~ column ~ ')') }}
        else {{ column }}
    end
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# The day of a timestamp text that names a day and not a moment. #}
{% macro day_of(column) %}
  {{- return("case when " ~ re_match('trim(' ~ column ~ ')', '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]00:00:00([.]0+)?$') ~ " then substring(trim(" ~ column ~ "), 1, 10) else " ~ column ~ " end") -}}
{% endmacro %}

{# Decimal of a money or quantity text that the contract would read, else NULL. #}
{% macro read_decimal(column) %}
  {{- return("case when " ~ re_match('trim(' ~ column ~ ')', '^-?[0-9]{1,14}([.][0-9]{1,4})?$') ~ " then try_cast(trim(" ~ column ~ ") as decimal(18,4)) end") -}}
{% endmacro %}

{# True when a text is there but is no decimal that the contract would read. #}
{% macro is_unreadable(column) %}
  {{- return("(trim(" ~ column ~ ") <> '' and (" ~ read_decimal(column) ~ ") is null)") -}}
{% endmacro %}

{# Text of a computed amount; NULL when it has no place in the contract's money type. #}
{% macro decimal_text(expression) %}
  {{- return("cast(try_cast(" ~ expression ~ " as decimal(18,4)) as string)") -}}
{% endmacro %}

{# Text of a sum, difference or product of text columns: exact('price', '*', 'quantity', '-', 'discount?'). A column marked
   with ? counts as 0 where it is not given; any other that is missing or unreadable makes the result NULL. #}
{% macro exact() %}
  {%- set terms = [] -%}
  {%- for term in varargs -%}
    {%- if term in ('+', '-', '*') -%}
      {%- do terms.append(term) -%}
    {%- elif term.endswith('?') -%}
      {%- do terms.append('coalesce(' ~ read_decimal(term[:-1]) ~ ', 0)') -%}
    {%- else -%}
      {%- do terms.append('(' ~ read_decimal(term) ~ ')') -%}
    {%- endif -%}
  {%- endfor -%}
  {{- return(decimal_text(terms | join(' '))) -}}
{% endmacro %}

{# male or female, NULL when not stated. #}
{% macro gender_text(column) %}
  {%- set sql -%}
    case lower(trim({{ column }}))
        when '1' then 'male' when 'm' then 'male' when 'male' then 'male' when '男' then 'male'
        when '2' then 'female' when 'f' then 'female' when 'female' then 'female' when '女' then 'female'
        when '0' then null when 'unknown' then null when '未知' then null when '' then null
        else {{ column }}
    end
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# Value of one parameter of an address, NULL when it has none. #}
{% macro url_parameter(column, name) %}
  {{- return("nullif(split_part(split_part(split_part(" ~ column ~ ", '" ~ name ~ "=', 2), '&', 1), '#', 1), '')") -}}
{% endmacro %}
