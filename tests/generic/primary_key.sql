{# One row per key, and no NULL in the key or in the columns that must always have a value. One test instead of three, because
   each test of a run costs more in dbt than in the database. #}
{% test primary_key(model, columns, never_null=[]) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count,
    sum(case when {% for column in columns + never_null %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %} then 1 else 0 end) as rows_with_null
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    or sum(case when {% for column in columns + never_null %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %} then 1 else 0 end) > 0
{% endtest %}
