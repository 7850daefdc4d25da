-- One row per account: source_system, source_record_id.
{{ loaded_records('account') }}
