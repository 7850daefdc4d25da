"""What changed since the run before, and whether it was right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.clv.cuts import Cut, Facts, day_number
from orchestration.clv.fitting import Fit
from orchestration.clv.metrics import stability_index
from orchestration.clv.schemas import HORIZONS, PREDICTION, PREDICTION_SCHEMA, kept_runs

OK, EXCEEDED, NOT_READY, INFO = "ok", "exceeded", "not_ready", "info"
MOST_DRIFT = 3.0
MOST_INSTABILITY = 0.25
LEAST_COVERAGE = 0.8
MOST_FALLBACK = 0.5
# Sooner, what was expected is too little to be compared with.
_READY_DAYS = 30

Check = tuple[str, float | None, float | None, str]


@dataclass(frozen=True, eq=False)
class Former:
    """What a later run wants to know of an earlier one; `parameters` by (submodel, name) with the
    standard error of their logs, `orders` expected by customer for `HORIZONS`, without rows where
    predictions that old are not kept."""

    model_run_id: str
    as_of: date
    champion: str | None
    parameters: Mapping[tuple[str, str], tuple[float, float | None]]
    orders: pa.Table


def read_former(folder: Path, before: date) -> Former | None:
    """The newest run in `folder` of a day earlier than `before` that has an answer, None where
    there is none."""
    earlier = [run for run in kept_runs(folder) if run.as_of < before]
    if not earlier:
        return None
    as_of, _, run = earlier[-1]
    rows = pq.read_table(run / "model_run.parquet").to_pylist()
    parameters = {
        (row["submodel"], row["name"]): (row["value"], row["log_sd"])
        for row in pq.read_table(run / "model_parameters.parquet").to_pylist()
    }
    columns = ["customer_id", *(f"expected_orders_{days}" for days in HORIZONS)]
    orders = PREDICTION_SCHEMA.empty_table().select(columns)
    if (run / PREDICTION).exists():
        orders = pq.read_table(run / PREDICTION, columns=columns)
    champion = next((row["submodel"] for row in rows if row["is_champion"]), None)
    return Former(rows[0]["model_run_id"], as_of, champion, parameters, orders)


def since(former: Former, facts: Facts, cut: Cut, fits: list[Fit]) -> Iterator[Check]:
    """Drift of parameters, stability of the population, realised orders against predicted ones."""
    for fit in fits:
        for name, value in fit.parameters.items():
            before = former.parameters.get((fit.submodel, name))
            if before is None:
                continue
            spread = before[1]
            drift = abs(np.log(value / before[0])) / spread if spread else None
            yield _upper(f"drift_{fit.submodel}_{name}", drift, MOST_DRIFT)
    then = facts.cut(day_number(former.as_of), cut.window)
    for name, before, now in (
        ("frequency", then.x, cut.x),
        ("days_since_last", then.since_last, cut.since_last),
        ("value", then.z, cut.z),
    ):
        yield _upper(f"psi_{name}", stability_index(before, now), MOST_INSTABILITY)
    yield _realised(former, facts)


def steady(cut: Cut, covered: float | None, fallback: float) -> Iterator[Check]:
    """What is said of every run: one-time buyers, coverage, how many a model has no answer for."""
    yield "share_one_time", float(np.mean(cut.x == 0)) if len(cut) else None, None, INFO
    below = covered is not None and covered < LEAST_COVERAGE
    status = NOT_READY if covered is None else EXCEEDED if below else OK
    yield "coverage_90", covered, LEAST_COVERAGE, status
    yield _upper("share_fallback_basis", fallback, MOST_FALLBACK)


def _upper(name: str, value: float | None, limit: float) -> Check:
    if value is None or not np.isfinite(value):
        return name, None, limit, NOT_READY
    return name, float(value), limit, EXCEEDED if value > limit else OK


def _realised(former: Former, facts: Facts) -> Check:
    """Orders since the former run over those it expected of the same customers by now."""
    name = "realised_to_predicted_orders"
    start = day_number(former.as_of)
    days = min(facts.as_of - start, HORIZONS[-1])
    if days < _READY_DAYS:
        return name, None, None, NOT_READY
    sums = [pc.sum(former.orders[f"expected_orders_{one}"]).as_py() or 0.0 for one in HORIZONS]
    expected = float(np.interp(days, (0, *HORIZONS), (0.0, *sums)))
    asked = former.orders.filter(pc.is_valid(former.orders["expected_orders_365"]))["customer_id"]
    same = pc.is_in(facts.ids, value_set=asked.combine_chunks()).to_numpy(zero_copy_only=False)
    realised = float(facts.orders_between(start, start + days)[same].sum())
    return (
        (name, realised / expected, None, INFO) if expected > 0 else (name, None, None, NOT_READY)
    )
