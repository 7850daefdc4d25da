-- One row per order_header: source_system, source_record_id.
{{ loaded_records('order_header') }}
