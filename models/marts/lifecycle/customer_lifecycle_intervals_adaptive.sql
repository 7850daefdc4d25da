-- One row per customer, model and day from which stage, matched rule, business type and overlays stay the same, as in
-- customer_lifecycle_intervals, but with silence since the last order measured against the customer's own gaps between orders.
{{ lifecycle_intervals('adaptive') }}
