-- One row per landed record that feeds account, in every version, with its outcome.
{{ records('account') }}
