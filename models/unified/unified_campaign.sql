-- One row per campaign: source_system, source_record_id.
{{ loaded_records('campaign') }}
