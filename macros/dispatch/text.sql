{# True when the pattern is found in the text. Use bracket classes, never a backslash: Spark eats it. #}
{% macro re_match(text, pattern) %}{{ return(adapter.dispatch('re_match', 'perennial')(text, pattern)) }}{% endmacro %}
{% macro default__re_match(text, pattern) %}{{ return("regexp_matches(" ~ text ~ ", '" ~ pattern ~ "')") }}{% endmacro %}
{% macro spark__re_match(text, pattern) %}{{ return("(" ~ text ~ " rlike '" ~ pattern ~ "')") }}{% endmacro %}

{# Replaces every match. #}
{% macro re_replace(text, pattern, replacement) %}{{ return(adapter.dispatch('re_replace', 'perennial')(text, pattern, replacement)) }}{% endmacro %}
{% macro default__re_replace(text, pattern, replacement) %}{{ return("regexp_replace(" ~ text ~ ", '" ~ pattern ~ "', '" ~ replacement ~ "', 'g')") }}{% endmacro %}
{% macro spark__re_replace(text, pattern, replacement) %}{{ return("regexp_replace(" ~ text ~ ", '" ~ pattern ~ "', '" ~ replacement ~ "')") }}{% endmacro %}

{# Text of one member of a JSON object, NULL when the text is no JSON or has no such member. #}
{% macro json_str(text, member) %}{{ return(adapter.dispatch('json_str', 'perennial')(text, member)) }}{% endmacro %}
{% macro default__json_str(text, member) %}{{ return("case when json_valid(" ~ text ~ ") then json_extract_string(" ~ text ~ ", '$.\"" ~ member ~ "\"') end") }}{% endmacro %}
{% macro spark__json_str(text, member) %}{{ return("get_json_object(" ~ text ~ ", '$." ~ member ~ "')") }}{% endmacro %}

{# JSON object `base` with `members` (a dict of name to SQL text) added under `name`; members that are NULL are left out. #}
{% macro json_with(base, name, members) %}{{ return(adapter.dispatch('json_with', 'perennial')(base, name, members)) }}{% endmacro %}
{% macro default__json_with(base, name, members) %}
  {%- set pairs = [] -%}
  {%- for member, value in members.items() -%}{%- do pairs.append("'" ~ member ~ "', " ~ value) -%}{%- endfor -%}
  {{- return("cast(json_merge_patch(case when json_valid(" ~ base ~ ") then cast(" ~ base ~ " as json) else cast('{}' as json) end, json_object('" ~ name ~ "', json_object(" ~ pairs | join(', ') ~ "))) as varchar)") -}}
{% endmacro %}
{% macro spark__json_with(base, name, members) %}
  {%- set pairs = [] -%}
  {%- for member, value in members.items() -%}{%- do pairs.append("'" ~ member ~ "', " ~ value) -%}{%- endfor -%}
  {{- return("concat_ws('', case when " ~ base ~ " is null or " ~ base ~ " = '{}' then '{' else substring(" ~ base ~ ", 1, length(" ~ base ~ ") - 1) || ',' end, '\"" ~ name ~ "\":', to_json(named_struct(" ~ pairs | join(', ') ~ ")), '}')") -}}
{% endmacro %}

{# A key as it is compared: without zero-width characters and outer blanks, full-width forms folded to ASCII (the part of
   NFKC that keys in practice need; written out because no NFKC function exists in either engine's SQL). #}
{% macro clean_key(text) %}
  {%- set wide = '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～　 ' -%}
  {%- set narrow = '!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~  ' -%}
  {%- set invisible = '\u200b\u200c\u200d\u2060\ufeff' -%}
  {{- return("nullif(trim(case when bit_length(" ~ text ~ ") = 8 * length(" ~ text ~ ") then " ~ text ~ " else translate(" ~ text ~ ", '" ~ wide ~ invisible ~ "', '" ~ (narrow | replace("'", "''")) ~ "') end), '')") -}}
{% endmacro %}

{# 60-bit integer of a text, equal on both engines, for graph nodes only: md5 is the persisted key. #}
{% macro node_key(text) %}{{ return(adapter.dispatch('node_key', 'perennial')(text)) }}{% endmacro %}
{% macro default__node_key(text) %}{{ return("cast('0x' || substr(md5(" ~ text ~ "), 1, 15) as bigint)") }}{% endmacro %}
{% macro spark__node_key(text) %}{{ return("cast(conv(substr(md5(" ~ text ~ "), 1, 15), 16, 10) as bigint)") }}{% endmacro %}

{# Rows of (columns..., id_type, id_scope, id_value, flag), one for each identifier in the JSON array column `ids_column`. #}
{% macro explode_ids(relation, columns, ids_column='ids') %}{{ return(adapter.dispatch('explode_ids', 'perennial')(relation, columns, ids_column)) }}{% endmacro %}
{% macro default__explode_ids(relation, columns, ids_column) %}
  {%- set select_list -%}
    {% for column in columns %}{{ column }}, {% endfor %}
  {%- endset -%}
  {{- return("(select " ~ select_list ~ " e.id_type as id_type, e.id_scope as id_scope, e.id_value as id_value, e.flag as flag from (select " ~ select_list ~ " unnest(from_json(" ~ ids_column ~ ", '[{\"id_type\":\"VARCHAR\",\"id_scope\":\"VARCHAR\",\"id_value\":\"VARCHAR\",\"flag\":\"VARCHAR\"}]')) as e from " ~ relation ~ " where " ~ ids_column ~ " is not null))") -}}
{% endmacro %}
{% macro spark__explode_ids(relation, columns, ids_column) %}
  {%- set select_list -%}
    {% for column in columns %}{{ column }}, {% endfor %}
  {%- endset -%}
  {{- return("(select " ~ select_list ~ " e.id_type as id_type, e.id_scope as id_scope, e.id_value as id_value, e.flag as flag from (select " ~ select_list ~ " explode(from_json(" ~ ids_column ~ ", 'array<struct<id_type:string,id_scope:string,id_value:string,flag:string>>')) as e from " ~ relation ~ " where " ~ ids_column ~ " is not null))") -}}
{% endmacro %}

{# Texts of a group in their own order, joined by a separator. #}
{% macro join_sorted(text, separator) %}{{ return(adapter.dispatch('join_sorted', 'perennial')(text, separator)) }}{% endmacro %}
{% macro default__join_sorted(text, separator) %}{{ return("string_agg(" ~ text ~ ", '" ~ separator ~ "' order by " ~ text ~ " asc nulls last)") }}{% endmacro %}
{% macro spark__join_sorted(text, separator) %}{{ return("array_join(array_sort(collect_list(" ~ text ~ ")), '" ~ separator ~ "')") }}{% endmacro %}
