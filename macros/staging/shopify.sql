{# Tables of the shop that complete the rows of others, each with its key and what tells its newer version. #}
{% macro shopify_lookups() %}
  {{- return({
    'refund': {'key': ['id'], 'order': ['updated_at', '_fivetran_synced']},
    'product': {'key': ['id'], 'order': ['updated_at', '_fivetran_synced']},
    'inventory_item': {'key': ['id'], 'order': ['updated_at', '_fivetran_synced']},
    'discount_allocation': {'key': ['order_line_id', 'index'], 'order': ['_fivetran_synced']},
    'transaction': {'key': ['id'], 'order': ['_fivetran_synced']},
    'customer_tag': {'key': ['customer_id', 'index'], 'order': ['_fivetran_synced']},
    'order_discount_code': {'key': ['order_id', 'index'], 'order': ['_fivetran_synced']},
  }) -}}
{% endmacro %}

{# Platform of the contract for the shop's source_name; NULL for an app that only the shop knows. #}
{% macro shopify_platform(column) %}
  {%- set sql -%}
    case lower(trim({{ column }}))
        when 'web' then 'web' when 'online' then 'web'
        when 'pos' then 'store' when 'point_of_sale' then 'store'
        when 'app' then 'app' when 'iphone' then 'app' when 'android' then 'app'
    end
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}
