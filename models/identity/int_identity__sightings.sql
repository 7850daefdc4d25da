-- One row per entity, source system, account reference and set of identifiers that records carry together.
-- Records repeat their identifiers endlessly (every page view names the same cookie), so the JSON is opened once for each
-- distinct set and every record finds its person through its set.
with

{% for entity, columns in person_columns().items() -%}
from_{{ entity }} as (
    select
        '{{ entity }}' as entity,
        source_system,
        account_ref,
        ids,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at,
        count(*) as record_count
    from (
        select
            source_system,
            {{ columns.account_ref }} as account_ref,
            {{ columns.ids or 'cast(null as string)' }} as ids,
            {{ seen_at('r', entity) }} as seen_at
        from {{ ref('unified_' ~ (columns.relation or entity)) }} as r
        where not is_deleted
    ) as records
    where account_ref is not null or ids is not null
    group by source_system, account_ref, ids
),

{% endfor -%}
seen as (
    {% for entity in person_columns() -%}
    select entity, source_system, account_ref, ids, first_seen_at, last_seen_at, record_count from from_{{ entity }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        md5(concat_ws('|', s.entity, s.source_system, coalesce(s.account_ref, ''), coalesce(s.ids, ''))) as sighting_key,
        s.entity,
        s.source_system,
        s.account_ref,
        s.ids,
        case when s.account_ref is not null then {{ ref_system('s', 'account_ref') }} end as account_system,
        case when s.account_ref is not null then {{ ref_id('s', 'account_ref') }} end as account_id,
        s.first_seen_at,
        s.last_seen_at,
        cast(s.record_count as bigint) as record_count
    from seen as s
    {{ join_ref('s', 'account_ref', 'account') }}
)

select * from final
