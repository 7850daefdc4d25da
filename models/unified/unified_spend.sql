-- One row per spend: source_system, source_record_id.
{{ loaded_records('spend') }}
