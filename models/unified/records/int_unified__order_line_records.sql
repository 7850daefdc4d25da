-- One row per landed record that feeds order_line, in every version, with its outcome.
{{ records('order_line') }}
