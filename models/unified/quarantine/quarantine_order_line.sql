-- One row per record of order_line that was read but cannot be used.
{{ quarantined_records('order_line') }}
