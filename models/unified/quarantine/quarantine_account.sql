-- One row per record of account that was read but cannot be used.
{{ quarantined_records('account') }}
