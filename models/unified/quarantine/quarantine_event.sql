-- One row per record of event that was read but cannot be used.
{{ quarantined_records('event') }}
