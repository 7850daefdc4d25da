-- One row per record of benefit that was read but cannot be used.
{{ quarantined_records('benefit') }}
