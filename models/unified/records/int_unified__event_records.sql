-- One row per landed record that feeds event, in every version, with its outcome.
{{ records('event') }}
