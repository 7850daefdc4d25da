-- One row per record of product that was read but cannot be used.
{{ quarantined_records('product') }}
