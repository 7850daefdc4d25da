"""Files of a model run: their columns, their folder, how they are written and how long they stay.

Light on purpose: the landing step writes the files of zero rows, and must not load SciPy for it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.runtime.durable import remove_leftovers, replacing, sync

HORIZONS = (30, 90, 180, 365)

RUN_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("submodel", pa.string()),
        ("engine", pa.string()),
        ("scope", pa.string()),
        ("as_of_date", pa.date32()),
        ("last_order_at", pa.timestamp("us")),
        ("statistics_row_count", pa.int64()),
        ("statistics_hash", pa.string()),
        ("code_commit", pa.string()),
        ("versions", pa.string()),
        ("config", pa.string()),
        ("log_likelihood", pa.float64()),
        ("customer_count", pa.float64()),
        ("is_converged", pa.bool_()),
        ("status", pa.string()),
        ("is_champion", pa.bool_()),
        ("fitted_at", pa.timestamp("us")),
        ("answered_at", pa.timestamp("us")),
    ]
)
PARAMETER_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("submodel", pa.string()),
        ("position", pa.int32()),
        ("name", pa.string()),
        ("value", pa.float64()),
        ("log_sd", pa.float64()),
    ]
)
COVARIANCE_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("submodel", pa.string()),
        ("name_a", pa.string()),
        ("name_b", pa.string()),
        ("log_covariance", pa.float64()),
    ]
)
NODE_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("submodel", pa.string()),
        ("x", pa.int64()),
        ("node_index", pa.int32()),
        ("node", pa.float64()),
        ("weight", pa.float64()),
    ]
)
PREDICTION_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("as_of", pa.date32()),
        ("customer_id", pa.string()),
        ("prediction_basis", pa.string()),
        ("model_name", pa.string()),
        ("frequency", pa.int64()),
        ("recency_age_days", pa.int64()),
        ("tenure_days", pa.int64()),
        ("days_since_last_order", pa.int64()),
        ("p_alive", pa.float64()),
        *(
            (f"{name}_{days}", pa.float64())
            for name in (
                "p_order",
                "expected_orders",
                "expected_revenue",
                "expected_margin",
                "discounted_margin",
            )
            for days in HORIZONS
        ),
        ("p05_365", pa.float64()),
        ("p50_365", pa.float64()),
        ("p95_365", pa.float64()),
        ("orders_p05_365", pa.float64()),
        ("orders_p95_365", pa.float64()),
        ("expected_next_order_on", pa.date32()),
        ("churn_probability", pa.float64()),
        ("churn_rule", pa.string()),
    ]
)
METRIC_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("origin_on", pa.date32()),
        ("horizon_days", pa.int64()),
        ("model_name", pa.string()),
        ("measure", pa.string()),
        ("metric", pa.string()),
        ("actual", pa.float64()),
        ("predicted", pa.float64()),
        ("value", pa.float64()),
    ]
)
DECILE_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("origin_on", pa.date32()),
        ("horizon_days", pa.int64()),
        ("model_name", pa.string()),
        ("decile", pa.int64()),
        ("customer_count", pa.int64()),
        ("mean_predicted_orders", pa.float64()),
        ("mean_actual_orders", pa.float64()),
        ("mean_predicted_value", pa.float64()),
        ("mean_actual_value", pa.float64()),
    ]
)
READINESS_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("gate", pa.string()),
        ("required", pa.float64()),
        ("actual", pa.float64()),
        ("is_met", pa.bool_()),
    ]
)
MONITOR_SCHEMA = pa.schema(
    [
        ("model_run_id", pa.string()),
        ("check_name", pa.string()),
        ("value", pa.float64()),
        ("limit_value", pa.float64()),
        ("status", pa.string()),
    ]
)
FILES: dict[str, pa.Schema] = {
    "model_run": RUN_SCHEMA,
    "model_parameters": PARAMETER_SCHEMA,
    "model_covariance": COVARIANCE_SCHEMA,
    "quadrature_nodes": NODE_SCHEMA,
    "prediction": PREDICTION_SCHEMA,
    "backtest_metric": METRIC_SCHEMA,
    "backtest_decile": DECILE_SCHEMA,
    "readiness": READINESS_SCHEMA,
    "monitor": MONITOR_SCHEMA,
}
EMPTY, FAILED = "_empty", "failed"
PREDICTION = "prediction.parquet"
# The small files of a run stay: the history of champions and errors is drawn from them.
KEPT_PREDICTIONS = 10


def write_empty(folder: Path) -> None:
    """Files of zero rows under `folder`/_empty, so that whoever reads `folder` finds types even
    before the first run. Files that are right already are left alone."""
    for name, schema in FILES.items():
        path = folder / EMPTY / f"{name}.parquet"
        if not path.exists() or not pq.read_schema(path).equals(schema):
            with replacing(path) as temporary:
                pq.write_table(schema.empty_table(), temporary)


def write_run(folder: Path, model_run_id: str, tables: Mapping[str, pa.Table]) -> bool:
    """One Parquet file each of `tables` in `folder`/`model_run_id`, all or none, whenever the power
    fails; False where that run is there already, with its predictions."""
    target = folder / model_run_id
    if (target / PREDICTION).exists():
        return False
    temporary = folder / f".{model_run_id}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for name, schema in FILES.items():
            with replacing(temporary / f"{name}.parquet") as path:
                pq.write_table(tables[name].cast(schema), path)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        sync(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


class Kept(NamedTuple):
    """A run that is in a folder and has, or had, an answer; of two of a day, the one with the later
    `answered_at` speaks."""

    as_of: date
    answered_at: datetime
    path: Path


def kept_runs(folder: Path) -> list[Kept]:
    """Those in `folder`, the one that speaks on the newest day last."""
    found = []
    # Names that begin with a dot are being written.
    for path in folder.glob("[!.]*/model_run.parquet"):
        for row in pq.read_table(path, schema=RUN_SCHEMA).slice(0, 1).to_pylist():
            if row["status"] != FAILED:
                answered_at = row["answered_at"] or datetime.min
                found.append(Kept(row["as_of_date"], answered_at, path.parent))
    return sorted(found)


def answer_again(folder: Path, model_run_id: str) -> None:
    """Facts and settings are again what a run in `folder` was made from: it speaks for its day,
    also where another one was made since."""
    target = folder / model_run_id / "model_run.parquet"
    runs = kept_runs(folder)
    own = next(run for run in runs if run.path == target.parent)
    if own == max(run for run in runs if run.as_of == own.as_of):
        return
    table = pq.read_table(target, schema=RUN_SCHEMA)
    now = pa.array([utc_now()] * table.num_rows, pa.timestamp("us"))
    at = table.schema.get_field_index("answered_at")
    with replacing(target) as temporary:
        pq.write_table(table.set_column(at, "answered_at", now), temporary)


def tidy(folder: Path) -> None:
    """Remove what a killed run left in `folder`, and predictions but the last that were said."""
    for path in folder.glob(".*"):
        shutil.rmtree(path, ignore_errors=True)
    remove_leftovers(folder)
    runs = sorted(kept_runs(folder), key=lambda run: run.answered_at)
    for run in runs[:-KEPT_PREDICTIONS]:
        (run.path / PREDICTION).unlink(missing_ok=True)


def utc_now() -> datetime:
    """Without a zone, as the files have it."""
    return datetime.now(UTC).replace(tzinfo=None)


def write_failure(folder: Path, as_of: date, reason: str) -> None:
    """Say in `folder` that the models have no answer for this day, and why: a run without rows but
    one, whose status is FAILED. It takes the place of an earlier one of the day."""
    forget_failure(folder, as_of)
    row = {
        "model_run_id": _failure(as_of),
        "submodel": "all",
        "as_of_date": as_of,
        "config": json.dumps({"reason": reason}),
        "status": FAILED,
        "is_champion": False,
        "fitted_at": utc_now().replace(microsecond=0),
    }
    tables = {name: schema.empty_table() for name, schema in FILES.items()}
    tables["model_run"] = pa.Table.from_pylist([row], RUN_SCHEMA)
    write_run(folder, _failure(as_of), tables)


def forget_failure(folder: Path, as_of: date) -> None:
    """The day has been answered, or fails anew."""
    shutil.rmtree(folder / _failure(as_of), ignore_errors=True)


def _failure(as_of: date) -> str:
    return f"{as_of.isoformat()}-{FAILED}"
