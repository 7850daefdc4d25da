{# A lookup is a landed table that only completes the rows of another one: the header of a refund, the cost of a product.
   Its versions are settled by the same rules as those of an entity (the newest stays; a contradiction leaves no row), and
   every row is accounted for. A lookup is described by a dict:
     key     columns that name the thing
     order   timestamp columns that tell the newer version, the strongest first
     where   condition on the landed rows, where only a part of the table is a lookup #}

{# Landed rows of a lookup with `outcome` and `reason`. #}
{% macro lookup_versions(channel, table, lookup) %}
  {%- set order = lookup.get('order', []) -%}
  {%- set content = landed_columns(channel, table) or (lookup.key + order) -%}
  {%- set ages = [] -%}
  {%- for column in order -%}{%- do ages.append('_age_' ~ loop.index) -%}{%- endfor -%}
  {%- set newest_first = (ages | join(' desc nulls last, ') ~ ' desc nulls last') if ages else '_rank_one asc nulls last' -%}
  {%- set sql -%}
    (
        select
            *,
            case
                when _fault is not null then 'quarantined'
                when _copy_number > 1 then 'duplicate'
                when _age_rank > 1 then 'superseded'
                when _versions_of_that_age > 1 then 'quarantined'
                else 'loaded'
            end as outcome,
            case
                when _fault is not null then _fault
                when _copy_number = 1 and _age_rank = 1 and _versions_of_that_age > 1 then 'conflicting_versions'
            end as reason
        from (
            select
                *,
                dense_rank() over (
                    partition by _key, case when _fault is null and _copy_number = 1 then 1 else 0 end
                    order by {{ newest_first }}
                ) as _age_rank,
                count(*) over (
                    partition by
                        _key, case when _fault is null and _copy_number = 1 then 1 else 0 end
                        {%- for age in ages %}, {{ age }}{% endfor %}
                ) as _versions_of_that_age
            from (
                select
                    *,
                    row_number() over (
                        partition by _fault, _key, _content order by _file_sha asc nulls last, _line asc nulls last
                    ) as _copy_number
                from (
                    select
                        landed.*,
                        1 as _rank_one,
                        {% for column in order -%}
                        {{ typed_timestamp('trim(landed.' ~ column ~ ')') }} as _age_{{ loop.index }},
                        {% endfor -%}
                        concat_ws('|', {% for column in lookup.key %}coalesce({{ clean_key('landed.' ~ column) }}, ''){{ ', ' if not loop.last }}{% endfor %}) as _key,
                        md5(concat_ws('|', {% for column in content %}coalesce(nullif(trim(landed.{{ column }}), ''), chr(1)){{ ', ' if not loop.last }}{% endfor %})) as _content,
                        case
                            {% for column in lookup.key -%}
                            when {{ clean_key('landed.' ~ column) }} is null then 'missing_{{ column }}'
                            {% endfor -%}
                        end as _fault
                    from {{ landed(channel, table) }} as landed
                    {% if lookup.get('where') %}where {{ lookup.where }}{% endif %}
                ) as keyed
            ) as copies
        ) as versions
    )
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# Current row of every key of a lookup. #}
{% macro landed_current(channel, table, lookup) %}
  {{- return("(select * from " ~ lookup_versions(channel, table, lookup) ~ " as versions where outcome = 'loaded')") -}}
{% endmacro %}

{# What became of every landed row of a channel's lookups: `lookups` is a dict of table to lookup. #}
{% macro lookup_accounting(channel, lookups) %}
  {%- for table, lookup in lookups.items() %}
    select '{{ channel }}' as _channel, '{{ table }}' as _table, _file_sha, _line, _landed_at, _warnings, outcome, reason
    from {{ lookup_versions(channel, table, lookup) }} as versions
    {%- if not loop.last %}
    union all
    {%- endif %}
  {%- endfor %}
{% endmacro %}
