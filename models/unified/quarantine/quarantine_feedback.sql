-- One row per record of feedback that was read but cannot be used.
{{ quarantined_records('feedback') }}
