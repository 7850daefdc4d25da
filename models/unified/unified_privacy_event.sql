-- One row per privacy_event: source_system, source_record_id.
{{ loaded_records('privacy_event') }}
