-- One row per event: source_system, source_record_id.
{{ loaded_records('event') }}
