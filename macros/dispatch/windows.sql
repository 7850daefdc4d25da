{# The newest value of an expression that is not NULL, from the first row of the window's order to the current one. #}
{% macro last_known(expression, window) %}{{ return(adapter.dispatch('last_known', 'perennial')(expression, window)) }}{% endmacro %}
{% macro default__last_known(expression, window) %}{{ return("last_value(" ~ expression ~ " ignore nulls) over (" ~ window ~ " rows between unbounded preceding and current row)") }}{% endmacro %}
{% macro spark__last_known(expression, window) %}{{ return("last_value(" ~ expression ~ ", true) over (" ~ window ~ " rows between unbounded preceding and current row)") }}{% endmacro %}
