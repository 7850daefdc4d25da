-- One row per landed record that feeds feedback, in every version, with its outcome.
{{ records('feedback') }}
