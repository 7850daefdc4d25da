-- One row per record of refund that was read but cannot be used.
{{ quarantined_records('refund') }}
