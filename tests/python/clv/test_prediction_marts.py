"""The marts of predictions on Parquet files as a run writes them, beside the files without rows."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from checkout import PROJECT

from orchestration.clv.schemas import answer_again

TYPES = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}
MARTS = (
    "clv_model_run",
    "clv_prediction",
    "clv_model_parameter",
    "clv_backtest_metric",
    "clv_backtest_decile",
    "clv_model_readiness",
    "clv_monitor",
)
SOURCE = yaml.safe_load((PROJECT / "models/marts/clv/_clv__sources.yml").read_text())["sources"][0]
SCHEMAS = {
    table["name"]: pa.schema([(c["name"], TYPES[c["data_type"]]) for c in table["columns"]])
    for table in SOURCE["tables"]
}


def _write(root: Path, run: str, day: date, customer: str) -> None:
    common = {"model_run_id": run}
    origin = {"origin_on": day, "horizon_days": 90, "model_name": "mbg_nbd"}
    rows = {
        "model_run": {
            "submodel": "mbg_nbd",
            "as_of_date": day,
            "status": "ok",
            "is_champion": True,
            "fitted_at": datetime(day.year, day.month, day.day, 20),
            "answered_at": datetime(day.year, day.month, day.day, 20),
            "customer_count": 7.0,
        },
        "model_parameters": {"submodel": "mbg_nbd", "position": 0, "name": "r", "value": 0.5},
        "prediction": {
            "as_of": day,
            "customer_id": customer,
            "prediction_basis": "model",
            "model_name": "mbg_nbd",
            "p_alive": 0.5,
            "expected_orders_365": 1.25,
            "discounted_margin_365": 80.12345,
        },
        "backtest_metric": origin | {"measure": "orders", "metric": "mae", "value": 0.3},
        "backtest_decile": origin | {"decile": 1, "customer_count": 3, "mean_actual_value": 9.5},
        "readiness": {"gate": "buyers", "required": 500.0, "actual": 7.0, "is_met": False},
        "monitor": {"check_name": "population_stability", "value": 0.1, "status": "ok"},
    }
    (root / "clv" / run).mkdir(parents=True)
    for name, row in rows.items():
        pq.write_table(
            pa.Table.from_pylist([common | row], SCHEMAS[name]),
            root / "clv" / run / f"{name}.parquet",
        )


@pytest.fixture
def build(demo_root: Path, compiled_models: dict[str, str], tmp_path: Path):
    """Build the marts over the files of a data root of the test's own; what they hold, by name."""
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        as_of, customer = connection.execute(
            "select max(as_of), min(customer_id) from marts.customer_clv"
        ).fetchone()
    for name, schema in SCHEMAS.items():
        (tmp_path / "clv" / "_empty").mkdir(parents=True, exist_ok=True)
        pq.write_table(schema.empty_table(), tmp_path / "clv" / "_empty" / f"{name}.parquet")

    def marts() -> dict[str, list[dict]]:
        found = {}
        # The catalogue has the file's name, which compiled SQL refers to.
        with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
            connection.execute(f"attach '{demo_root}/warehouse.duckdb' as built (read_only)")
            connection.execute("create schema if not exists core")
            connection.execute("create schema if not exists marts")
            for name in ("int_core__as_of", "dim_customer"):
                connection.execute(f"create or replace table core.{name} as from built.core.{name}")
            for name in MARTS:
                sql = compiled_models[name].replace(f"{demo_root}/clv", f"{tmp_path}/clv")
                connection.execute(f"create or replace table marts.{name} as {sql}")
                answer = connection.execute(f"from marts.{name}")
                columns = [column[0] for column in answer.description]
                found[name] = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
        return found

    return marts, tmp_path, as_of, customer


def test_without_a_run_the_marts_are_empty(build) -> None:
    marts, *_ = build
    assert {name: rows for name, rows in marts().items() if rows} == {}


def test_the_latest_run_by_as_of_speaks_and_later_ones_are_unknown(build) -> None:
    marts, root, as_of, customer = build
    _write(root, "older", date.fromordinal(as_of.toordinal() - 31), customer)
    _write(root, "later", date.fromordinal(as_of.toordinal() + 1), customer)
    day = date.fromordinal(as_of.toordinal() - 1)
    _write(root, "yesterday", day, customer)
    found = marts()
    assert {name: len(rows) for name, rows in found.items()} == {
        name: 1 if name == "clv_prediction" else 2 for name in MARTS
    }
    prediction = found["clv_prediction"][0]
    assert (prediction["model_run_id"], prediction["predicted_on"]) == ("yesterday", day)
    assert (prediction["as_of"], prediction["clv_tier"]) == (as_of, "platinum")
    assert str(prediction["predicted_value_365d"]) == "80.1235"
    assert {row["model_run_id"]: row["is_current"] for row in found["clv_model_run"]} == {
        "older": False,
        "yesterday": True,
    }


def test_a_run_that_is_answered_again_speaks_again(build) -> None:
    marts, root, as_of, customer = build
    for run in "ab":
        _write(root, run, as_of, customer)
    assert [row["model_run_id"] for row in marts()["clv_prediction"]] == ["b"]
    answer_again(root / "clv", "a")
    found = marts()
    assert [row["model_run_id"] for row in found["clv_prediction"]] == ["a"]
    assert {row["model_run_id"]: row["is_current"] for row in found["clv_model_run"]} == {
        "a": True,
        "b": False,
    }
