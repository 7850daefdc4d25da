"""The models of the demo's build as SQL, and an empty warehouse to run them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest
from lifecycle.evaluator import THRESHOLDS

MODELS = (
    "int_calendar__stored_days",
    "int_retention__activity_drops",
    "customer_alert",
    "customer_replenishment",
    "retention_monthly",
)
SEEDS = ("lifecycle_rule", "lifecycle_stage", "business_profile", "business_unit")


@pytest.fixture(scope="session")
def retention_sql(manifest: Mapping) -> dict[str, str]:
    """`create or replace table` for each model, by name, in the order in which they build."""
    nodes = {name: manifest["nodes"][f"model.perennial.{name}"] for name in MODELS}
    return {
        name: f"create or replace table {node['relation_name']} as {node['compiled_code']}"
        for name, node in nodes.items()
    }


@pytest.fixture
def warehouse(demo_root: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the seeds only, the built demo beside it as `built`."""
    # The catalogue has the file's name, which compiled SQL refers to.
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(f"attach '{demo_root}/warehouse.duckdb' as built (read_only)")
        connection.execute("create schema core; create schema marts; create schema seeds")
        for name in SEEDS:
            connection.execute(f"create table seeds.{name} as from built.seeds.{name}")
        connection.executemany(
            "insert into seeds.business_unit values (?, ?)",
            [(f"unit of {name}", name) for name in THRESHOLDS],
        )
        yield connection
