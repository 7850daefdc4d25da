-- One row per landed record that feeds order_header, in every version, with its outcome.
{{ records('order_header') }}
