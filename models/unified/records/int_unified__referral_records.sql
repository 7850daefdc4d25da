-- One row per landed record that feeds referral, in every version, with its outcome.
{{ records('referral') }}
