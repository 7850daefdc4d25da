-- One row per record of spend that was read but cannot be used.
{{ quarantined_records('spend') }}
