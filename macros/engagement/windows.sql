{# Day on which a customer leaves the window of the last n days again that an active day of his (`day_on`) opened: n days
   later, or on his next such day (`next_on`, NULL if none), on which he enters anew. The running sum of those who enter less
   those who leave is the number of customers in the window on every day: two rows for each active day, however long the window. #}
{% macro leaves_window_on(days) %}
  {{- return("least(" ~ days_later('day_on', days) ~ ", coalesce(next_on, " ~ days_later('day_on', days) ~ "))") -}}
{% endmacro %}

{# Window clause of a sum from the first row to the current one, in the order of a column. #}
{% macro so_far(partition, order) %}
  {{- return("partition by " ~ partition ~ " order by " ~ order ~ " asc nulls last rows between unbounded preceding and current row") -}}
{% endmacro %}
