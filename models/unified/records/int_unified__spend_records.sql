-- One row per landed record that feeds spend, in every version, with its outcome.
{{ records('spend') }}
