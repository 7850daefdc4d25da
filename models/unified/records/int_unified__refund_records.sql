-- One row per landed record that feeds refund, in every version, with its outcome.
{{ records('refund') }}
