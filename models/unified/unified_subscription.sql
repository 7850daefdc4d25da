-- One row per subscription: source_system, source_record_id.
{{ loaded_records('subscription') }}
