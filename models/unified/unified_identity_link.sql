-- One row per identity_link: source_system, source_record_id.
{{ loaded_records('identity_link') }}
