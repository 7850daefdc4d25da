"""The newest row of the identity quality mart in words, for the status screen and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TABLE = "identity_quality_run"
NEWEST = f"""
    select
        measure, dimension, measure_value as value, baseline_value as baseline, alert_code as alert
    from {TABLE} where run_number = (select max(run_number) from {TABLE})
    order by measure, dimension
"""
MOST_ALERTS = 3


def sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Customers, identifiers and alerts of the rows of NEWEST, on one line."""
    values = {(row["measure"], row["dimension"]): row["value"] for row in rows}
    alerts = [_alert(row) for row in rows if row["alert"]]
    if len(alerts) > MOST_ALERTS:
        alerts[MOST_ALERTS:] = [f"{len(alerts) - MOST_ALERTS} more in {TABLE}"]
    told = f"ALERT: {'; '.join(alerts)}" if alerts else "no alert"
    return (
        f"{values.get(('customers', 'known'), 0):,.0f} known and "
        f"{values.get(('customers', 'anonymous'), 0):,.0f} anonymous customers of "
        f"{values.get(('identifiers', 'all'), 0):,.0f} identifiers; {told}"
    )


def _alert(row: Mapping[str, Any]) -> str:
    what = str(row["measure"]).replace("_", " ")
    if row["alert"] == "largest_customer":
        return f"one customer has {row['value']:,.0f} identifiers"
    if row["alert"] == "match_rate_drop":
        return (
            f"{what} of {row['dimension']} is {row['value']:.1%}, it was {row['baseline']:.1%} "
            "in the runs before"
        )
    return (
        f"{what} {row['dimension']}: {row['value']:,.0f}, they were {row['baseline'] or 0:,.0f} in "
        "the runs before"
    )
