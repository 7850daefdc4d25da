{# All landed records that feed an entity, from every enabled channel: typed, judged and in order of version.

   The outcome of a record is one of
     quarantined  a key or required value is missing or unreadable, or its newest versions contradict each other
     duplicate    the same content as a record that counts, whatever the file
     superseded   an older version of its key
     loaded       what remains: one record for each key
   Neither the order of delivery nor the time of landing decides. #}
{% macro records(entity) %}
{%- set channels = channels_feeding(entity) -%}
{%- set columns = contract_columns(entity) -%}
{%- set keys = key_columns(entity) -%}
{%- set placeholder_words = ref('placeholder_word') -%}
{%- set inputs = [] -%}
{%- for channel in channels -%}{%- do inputs.append({'channel': channel, 'relation': ref('stg_' ~ channel ~ '__' ~ entity)}) -%}{%- endfor -%}
{%- if not execute -%}
select 1 as outcome
{%- else -%}
with

{% for input in inputs -%}
{%- set fed = fed_columns(input.channel, entity) -%}
from_{{ input.channel }} as (
    select
        {% for column in columns -%}
        {{ 'cast(' ~ column.name ~ ' as string)' if column.name in fed else 'cast(null as string)' }} as raw_{{ column.name }},
        {% endfor -%}
        _timezone,
        {{ lineage_columns() | join(', ') }}
    from {{ input.relation }}
),

{% endfor -%}
staged as (
    {% for input in inputs -%}
    select * from from_{{ input.channel }}
    {% if not loop.last %}union all{% endif %}
    {% else -%}
    select
        {% for column in columns -%}
        cast(null as string) as raw_{{ column.name }},
        {% endfor -%}
        cast(null as string) as _timezone, cast(null as string) as _channel, cast(null as string) as _table,
        cast(null as string) as _file_sha, cast(null as bigint) as _line, cast(null as boolean) as _is_primary,
        cast(null as timestamp) as _landed_at, cast(null as string) as _warnings
    from (select 1 as one) as nothing
    where one = 0
    {% endfor -%}
),

read_values as (
    select
        *
        {%- for column in columns %},
        {{ typed(column) }} as read_{{ column.name }}
        {%- endfor %}
    from staged
),

{# A moment outside the plausible range is as unusable as an unreadable one. #}
plausible as (
    select
        *
        {%- for column in columns %},
        {% if column.name == 'is_deleted' -%}
        coalesce(read_is_deleted, false)
        {%- else -%}
        {{ plausible(column, 'read_' ~ column.name) }}
        {%- endif %} as {{ column.name }}
        {%- endfor %}
    from read_values
),

judged as (
    select
        *,
        case
            {% for key in ['source_system', 'source_record_id'] -%}
            when {{ key }} is null or lower({{ key }}) in (select word from {{ placeholder_words }}) then 'missing_{{ key }}'
            {% endfor -%}
            {% for column in columns if column.required and column.name not in keys -%}
            when raw_{{ column.name }} is null or trim(raw_{{ column.name }}) = '' then 'missing_{{ column.name }}'
            {% endfor -%}
            {% for column in columns if column.required and column.name not in keys -%}
            when read_{{ column.name }} is null then 'unreadable_{{ column.name }}'
            when {{ column.name }} is null then 'implausible_{{ column.name }}'
            {% endfor -%}
            {% for column in columns if not column.required and (column.name == 'currency' or column.name.endswith('_currency')) -%}
            when trim(raw_{{ column.name }}) <> '' and read_{{ column.name }} is null then 'unreadable_{{ column.name }}'
            {% endfor -%}
            else null
        end as fault,
        {# What could not be read is kept as text; what lies outside a closed list is kept beside its code. #}
        case when false
            {%- for column in columns if column.name in optional_typed(columns) %}
            or (trim(raw_{{ column.name }}) <> '' and {{ column.name }} is null)
            {%- endfor %}
            {%- for column in columns if column.accepted_values %}
            or {{ column.name }} = 'other'
            {%- endfor %}
            or _warnings is not null
        then true else false end as has_warning
    from plausible
),

completed as (
    select
        {% for column in columns if column.name != 'extra' -%}
        {{ column.name }},
        {% endfor -%}
        case when has_warning then {{ json_with('extra', 'unreadable', unreadable_members(columns)) }} else extra end as extra,
        {{ lineage_columns() | join(', ') }},
        has_warning,
        fault
    from judged
),

keyed as (
    select
        *,
        concat_ws('|', {% for key in keys %}coalesce(cast({{ key }} as string), ''){{ ', ' if not loop.last }}{% endfor %}) as _record_key,
        md5(concat_ws('|'
            {%- for column in columns -%}, coalesce(cast({{ column.name }} as string), chr(1)){%- endfor -%}
        )) as _content_hash
    from completed
),

copies as (
    select
        *,
        row_number() over (
            partition by fault, _record_key, _content_hash
            order by _file_sha asc nulls last, _table asc nulls last, _line asc nulls last
        ) as copy_number
    from keyed
),

versions as (
    select
        *,
        dense_rank() over (
            partition by _record_key, case when fault is null and copy_number = 1 then 1 else 0 end
            order by updated_at desc nulls last, loaded_at desc nulls last
        ) as age_rank,
        count(*) over (
            partition by _record_key, case when fault is null and copy_number = 1 then 1 else 0 end, updated_at, loaded_at
        ) as versions_of_that_age
    from copies
),

final as (
    select
        {% for column in columns -%}
        {{ column.name }},
        {% endfor -%}
        {{ lineage_columns() | join(', ') }},
        has_warning,
        _record_key,
        _content_hash,
        case
            when fault is not null then 'quarantined'
            when copy_number > 1 then 'duplicate'
            when age_rank > 1 then 'superseded'
            when versions_of_that_age > 1 then 'quarantined'
            else 'loaded'
        end as outcome,
        case
            when fault is not null then fault
            when copy_number = 1 and age_rank = 1 and versions_of_that_age > 1 then 'conflicting_versions'
        end as _reason
    from versions
)

select * from final
{%- endif -%}
{% endmacro %}

{# Names of optional columns whose text can fail to be read. #}
{% macro optional_typed(columns) %}
  {%- set names = [] -%}
  {%- for column in columns if not column.required and column.type != 'string' and column.name != 'is_deleted' -%}
    {%- do names.append(column.name) -%}
  {%- endfor -%}
  {{- return(names) -}}
{% endmacro %}

{# Member of `extra.unreadable` for each column whose text is lost otherwise, and for what landing noticed. #}
{% macro unreadable_members(columns) %}
  {%- set members = {} -%}
  {%- for column in columns -%}
    {%- if column.name in optional_typed(columns) -%}
      {%- do members.update({column.name: "case when trim(raw_" ~ column.name ~ ") <> '' and " ~ column.name ~ " is null then raw_" ~ column.name ~ " end"}) -%}
    {%- elif column.accepted_values -%}
      {%- do members.update({column.name: "case when " ~ column.name ~ " = 'other' then raw_" ~ column.name ~ " end"}) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- do members.update({'landing': '_warnings'}) -%}
  {{- return(members) -}}
{% endmacro %}

{# The records that count, in the shape of the contract. #}
{% macro loaded_records(entity) %}
{%- set records_model = ref('int_unified__' ~ entity ~ '_records') -%}
{%- if not execute -%}
select * from {{ records_model }}
{%- else -%}
select
    {% for column in contract_columns(entity) -%}
    {{ column.name }},
    {% endfor -%}
    _channel,
    _table,
    _file_sha,
    _line,
    _landed_at
from {{ records_model }}
where outcome = 'loaded'
{%- endif -%}
{% endmacro %}

{# The records that were read but cannot be used: where they are and why, never what they hold. #}
{% macro quarantined_records(entity) %}
select
    source_system,
    source_record_id,
    _channel,
    _table,
    _file_sha,
    _line,
    _is_primary,
    _reason as reason
from {{ ref('int_unified__' ~ entity ~ '_records') }}
where outcome = 'quarantined'
{% endmacro %}
