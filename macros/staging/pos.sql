{# Versions of a receipt: its number, and when it last changed. #}
{% macro pos_receipt_versions() %}
  {{- return({'key': ['receipt_no'], 'order': ['updated_at']}) -}}
{% endmacro %}

{# Condition on a table of receipt lines: the line belongs to a receipt that gives money back. #}
{% macro pos_is_line_of_refund(relation) %}
  {%- set sql -%}
    {{ clean_key(relation ~ '.receipt_no') }} in (
        select receipts._key
        from {{ landed_current('pos', 'receipts', pos_receipt_versions()) }} as receipts
        where upper(trim(receipts.receipt_type)) = 'REFUND'
    )
  {%- endset -%}
  {{- return(sql) -}}
{% endmacro %}

{# Lines of refund receipts only explain the refund, which the receipt states as a whole. #}
{% macro pos_lookups() %}
  {{- return({'receipt_lines': {'key': ['receipt_no', 'line_no'], 'where': pos_is_line_of_refund('landed')}}) -}}
{% endmacro %}
