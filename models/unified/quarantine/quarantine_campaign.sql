-- One row per record of campaign that was read but cannot be used.
{{ quarantined_records('campaign') }}
