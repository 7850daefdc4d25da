-- Nobody who ever bought is lost on the way from values to classes, for instance because a seed lacks a class.
select buyers.customer_id, buyers.day_on
from {{ ref('int_rfm__customer_values') }} as buyers
inner join {{ ref('int_calendar__stored_days') }} as days on buyers.day_on = days.as_of
left join {{ ref('customer_rfm') }} as classes
    on
        buyers.customer_id = classes.customer_id
        and buyers.day_on = classes.as_of
where classes.customer_id is null
