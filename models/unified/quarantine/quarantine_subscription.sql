-- One row per record of subscription that was read but cannot be used.
{{ quarantined_records('subscription') }}
