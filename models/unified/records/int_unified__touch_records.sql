-- One row per landed record that feeds touch, in every version, with its outcome.
{{ records('touch') }}
