-- One row per landed record that feeds campaign, in every version, with its outcome.
{{ records('campaign') }}
