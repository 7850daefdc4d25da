-- One row per referral: source_system, source_record_id.
{{ loaded_records('referral') }}
