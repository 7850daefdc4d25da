-- One row per record of privacy_event that was read but cannot be used.
{{ quarantined_records('privacy_event') }}
