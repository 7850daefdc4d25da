-- One row per customer, model and day from which stage, matched rule, business type and overlays stay the same, to the
-- day before valid_to (NULL: still so on the as-of day). Every day from first touch on lies in exactly one row per model.
{{ lifecycle_intervals('fixed') }}
