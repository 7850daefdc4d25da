-- One row per touch: source_system, source_record_id.
{{ loaded_records('touch') }}
