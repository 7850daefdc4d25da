-- One row per refund: source_system, source_record_id.
{{ loaded_records('refund') }}
