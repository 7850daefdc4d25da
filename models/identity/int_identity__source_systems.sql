-- One row per source system that any record comes from: what a reference to another system's record may begin with.
with

named as (
    {% for entity in entities() -%}
    select distinct source_system from {{ ref('unified_' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select distinct source_system from named
)

select * from final
