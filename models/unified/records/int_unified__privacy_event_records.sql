-- One row per landed record that feeds privacy_event, in every version, with its outcome.
{{ records('privacy_event') }}
