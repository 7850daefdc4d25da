-- One row per landed record that feeds subscription, in every version, with its outcome.
{{ records('subscription') }}
