{# One row per key; no NULL in the key nor in `never_null`; nothing but its values in a column of `accepted`, which maps columns to
   texts. One test instead of several, because a test of a run costs more in dbt than in the database. #}
{% test primary_key(model, columns, never_null=[], accepted={}) %}
{%- set wrong = [] -%}
{%- for column in columns + never_null -%}{%- do wrong.append(column ~ " is null") -%}{%- endfor -%}
{%- for column, values in accepted.items() -%}{%- do wrong.append(column ~ " not in ('" ~ values | join("', '") ~ "')") -%}{%- endfor -%}
select
    {{ columns | join(', ') }},
    count(*) as row_count,
    sum(case when {{ wrong | join(' or ') }} then 1 else 0 end) as wrong_row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 or sum(case when {{ wrong | join(' or ') }} then 1 else 0 end) > 0
{% endtest %}
