-- One row per landed record that feeds product, in every version, with its outcome.
{{ records('product') }}
