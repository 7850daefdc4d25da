-- One row per landed record that feeds benefit, in every version, with its outcome.
{{ records('benefit') }}
