-- One row per record of referral that was read but cannot be used.
{{ quarantined_records('referral') }}
