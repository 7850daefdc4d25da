{# The newest value of an expression that is not NULL, from the first row of the window's order to the current one. #}
{% macro last_known(expression, window) %}{{ return(adapter.dispatch('last_known', 'perennial')(expression, window)) }}{% endmacro %}
{% macro default__last_known(expression, window) %}{{ return("last_value(" ~ expression ~ " ignore nulls) over (" ~ window ~ " rows between unbounded preceding and current row)") }}{% endmacro %}
{% macro spark__last_known(expression, window) %}{{ return("last_value(" ~ expression ~ ", true) over (" ~ window ~ " rows between unbounded preceding and current row)") }}{% endmacro %}

{# Median of an expression over the rows from the first of the window's order to the current one. #}
{% macro running_median(expression, window) %}{{ return(adapter.dispatch('running_median', 'perennial')(expression, window)) }}{% endmacro %}
{% macro default__running_median(expression, window) %}{{ return("median(" ~ expression ~ ") over (" ~ window ~ " rows between unbounded preceding and current row)") }}{% endmacro %}
{% macro spark__running_median(expression, window) %}{{ return("percentile(" ~ expression ~ ", 0.5) over (" ~ window ~ " rows between unbounded preceding and current row)") }}{% endmacro %}
