-- One row per benefit: source_system, source_record_id.
{{ loaded_records('benefit') }}
