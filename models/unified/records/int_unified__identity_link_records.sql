-- One row per landed record that feeds identity_link, in every version, with its outcome.
{{ records('identity_link') }}
