-- One row per account and moment from which it says something else about the person: what stands from then on.
-- Silence erases nothing and a masked value never replaces a whole one; a deletion does away with all that was said before.
{%- set attributes = profile_attributes() -%}
{%- set in_order = 'partition by source_system, source_record_id order by version_number asc nulls last' -%}
{%- set in_life = 'partition by source_system, source_record_id, life_number order by version_number asc nulls last' %}
with

records as (
    select records.*, {{ source_tags('extra') }} as source_tags
    from {{ ref('int_unified__account_records') }} as records
    where outcome in ('loaded', 'superseded')
),

customers as (
    select
        id_scope as source_system,
        id_value as source_record_id,
        customer_id
    from {{ ref('bridge_customer_identifier') }}
    where id_type = 'account' and valid_to is null
),

-- Older versions of one moment that contradict each other in an attribute say nothing about it.
versions as (
    select
        source_system,
        source_record_id,
        updated_at,
        loaded_at,
        coalesce(updated_at, loaded_at, min(registered_at), min(created_at)) as stated_at,
        max(case when is_deleted then 1 else 0 end) = 1 as is_deleted,
        {%- for attribute in attributes %}
        case when min({{ attribute }}) = max({{ attribute }}) then min({{ attribute }}) end as stated_{{ attribute }},
        {%- endfor %}
        case when min(source_tags) = max(source_tags) then min(source_tags) end as stated_tags,
        max(case when is_test then 1 else 0 end) = 1 as is_test
    from records
    group by source_system, source_record_id, updated_at, loaded_at
),

numbered as (
    select
        *,
        row_number() over (
            partition by source_system, source_record_id order by updated_at asc nulls first, loaded_at asc nulls first
        ) as version_number
    from versions
),

-- The order of versions is the contract's; one that states a later moment than its successor held until then at most.
dated as (
    select
        *,
        min(coalesce(stated_at, cast('1900-01-01 00:00:00' as timestamp))) over (
            partition by source_system, source_record_id order by version_number desc nulls last
            rows between unbounded preceding and current row
        ) as valid_from,
        sum(case when is_deleted then 1 else 0 end) over ({{ in_order }} rows between unbounded preceding and current row) as life_number,
        coalesce({{ local_day('stated_at') }}, (select as_of from {{ ref('int_core__as_of') }})) as stated_on
    from numbered
),

graded as (
    select
        {%- for attribute in attributes %}
        case when is_deleted then 0 else {{ completeness(attribute, 'stated_' ~ attribute, 'stated_on') }} end as grade_{{ attribute }},
        {%- endfor %}
        *
    from dated
),

known as (
    select
        {%- for attribute in attributes %}
        {{ last_known('case when grade_' ~ attribute ~ ' = 2 then stated_' ~ attribute ~ ' end', in_life) }} as whole_{{ attribute }},
        {{ last_known('case when grade_' ~ attribute ~ ' = 1 then stated_' ~ attribute ~ ' end', in_life) }} as masked_{{ attribute }},
        {%- endfor %}
        {{ last_known("case when is_deleted then '' else stated_tags end", in_life) }} as source_tags,
        *
    from graded
),

standing as (
    select
        source_system,
        source_record_id,
        version_number,
        valid_from,
        lead(valid_from) over ({{ in_order }}) as next_from,
        is_deleted,
        {%- for attribute in attributes %}
        coalesce(whole_{{ attribute }}, masked_{{ attribute }}) as {{ attribute }},
        case
            when whole_{{ attribute }} is not null then 2
            when masked_{{ attribute }} is not null then 1
            else 0
        end as {{ attribute }}_completeness,
        {%- endfor %}
        nullif(source_tags, '') as source_tags,
        is_test
    from known
),

-- Of several versions of one moment the newest one tells what stands.
compared as (
    select
        *,
        {{ row_hash(['is_deleted', 'is_test', 'source_tags'] + (attributes | list)) }} as state_hash,
        {%- for attribute in attributes %}
        lag({{ attribute }}) over ({{ in_order }}) as previous_{{ attribute }},
        {%- endfor %}
        lag({{ row_hash(['is_deleted', 'is_test', 'source_tags'] + (attributes | list)) }}) over ({{ in_order }}) as previous_hash
    from standing
    where next_from is null or valid_from < next_from
),

-- A value is as recent as the moment from which the account states it, not as its last repetition.
changed as (
    select
        {%- for attribute in attributes %}
        max(case when {{ attribute }} is distinct from previous_{{ attribute }} then valid_from end) over (
            {{ in_order }} rows between unbounded preceding and current row
        ) as {{ attribute }}_since,
        {%- endfor %}
        lead(valid_from) over ({{ in_order }}) as valid_to,
        *
    from compared
    where state_hash is distinct from previous_hash
),

final as (
    select
        c.customer_id,
        s.source_system,
        s.source_record_id,
        s.valid_from,
        s.valid_to,
        s.is_deleted,
        {%- for attribute in attributes %}
        s.{{ attribute }},
        s.{{ attribute }}_completeness,
        s.{{ attribute }}_since,
        {%- endfor %}
        s.source_tags,
        s.is_test
    from changed as s
    inner join customers as c on c.source_system = s.source_system and c.source_record_id = s.source_record_id
)

select * from final
