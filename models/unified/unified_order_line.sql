-- One row per order_line: source_system, source_record_id.
{{ loaded_records('order_line') }}
