-- One row per record of touch that was read but cannot be used.
{{ quarantined_records('touch') }}
