-- One row per record of identity_link that was read but cannot be used.
{{ quarantined_records('identity_link') }}
