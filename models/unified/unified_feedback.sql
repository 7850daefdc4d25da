-- One row per feedback: source_system, source_record_id.
{{ loaded_records('feedback') }}
