-- One row per record of order_header that was read but cannot be used.
{{ quarantined_records('order_header') }}
