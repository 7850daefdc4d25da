-- One row per product: source_system, source_record_id, valid_from.
{{ loaded_records('product') }}
