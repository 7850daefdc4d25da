{# References between records. One holds the other record's source_record_id of the same source system, or, where that does
   not exist, source_system:source_record_id of another one. Every model resolves references through these two macros:
   the joins in FROM, the key in SELECT. Only a reference with a colon can name another system, so both joins are tiny. #}
{% macro join_ref(alias, column, entity) %}
left join (
    select distinct source_system || ':' || source_record_id as record_key
    from {{ ref('unified_' ~ entity) }}
    where position(':' in source_record_id) > 0
) as own_{{ column }}
    on own_{{ column }}.record_key
        = case when position(':' in {{ alias }}.{{ column }}) > 0 then {{ alias }}.source_system || ':' || {{ alias }}.{{ column }} end
left join {{ ref('int_identity__source_systems') }} as other_{{ column }}
    on other_{{ column }}.source_system
        = case when position(':' in {{ alias }}.{{ column }}) > 0 then split_part({{ alias }}.{{ column }}, ':', 1) end
{% endmacro %}

{# Source system that a reference names. #}
{% macro ref_system(alias, column) %}
  {{- return("case when own_" ~ column ~ ".record_key is null and other_" ~ column ~ ".source_system is not null then other_" ~ column ~ ".source_system else " ~ alias ~ ".source_system end") -}}
{% endmacro %}

{# Record id, within that system, that a reference names. #}
{% macro ref_id(alias, column) %}
  {{- return("case when own_" ~ column ~ ".record_key is null and other_" ~ column ~ ".source_system is not null then substr(" ~ alias ~ "." ~ column ~ ", length(other_" ~ column ~ ".source_system) + 2) else " ~ alias ~ "." ~ column ~ " end") -}}
{% endmacro %}

{# Key text source_system:source_record_id that a reference names, NULL for no reference. #}
{% macro ref_key(alias, column) %}
  {{- return("case when own_" ~ column ~ ".record_key is null and other_" ~ column ~ ".source_system is not null then " ~ alias ~ "." ~ column ~ " else " ~ alias ~ ".source_system || ':' || " ~ alias ~ "." ~ column ~ " end") -}}
{% endmacro %}

{# Key text of the record itself. #}
{% macro record_key(alias) %}
  {{- return(alias ~ ".source_system || ':' || " ~ alias ~ ".source_record_id") -}}
{% endmacro %}
