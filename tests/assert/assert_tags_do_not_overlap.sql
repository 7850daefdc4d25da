-- A customer has at most one value of a tag on a day, no interval is empty or begins after as_of, and no two tags of a group hold
-- on the same day.
with

tags as (
    select
        held.*,
        coalesce(catalogue.tag_group, held.tag_code) as group_code,
        lead(held.valid_from) over (
            partition by held.customer_id, coalesce(catalogue.tag_group, held.tag_code)
            order by held.valid_from nulls last, held.tag_code nulls last
        ) as next_valid_from
    from {{ ref('customer_tag') }} as held
    inner join {{ ref('tag') }} as catalogue on held.tag_code = catalogue.tag_code
)

select tags.customer_id, tags.tag_code, tags.valid_from, tags.valid_to
from tags
cross join {{ ref('int_core__as_of') }} as as_of
where
    tags.valid_to <= tags.valid_from
    or tags.valid_from > as_of.as_of
    or tags.valid_to > as_of.as_of
    or (tags.valid_to is null and tags.next_valid_from is not null)
    or tags.next_valid_from < tags.valid_to
