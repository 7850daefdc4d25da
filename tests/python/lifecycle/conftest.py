"""One warehouse with the golden cases, landed and built by dbt, and the SQL that built it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from checkout import run

from . import golden
from .evaluator import THRESHOLDS
from .warehouse import Compiled

SEEDS = ("lifecycle_rule", "lifecycle_stage", "business_profile", "business_unit")


@pytest.fixture(scope="session")
def golden_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data root with the golden cases, landed as `direct` files and built without tests."""
    root = tmp_path_factory.mktemp("golden")
    golden.write(root / "landing" / "direct")
    run("perennial", "land", data_root=root, PERENNIAL_KEY="k" * 32)
    run(
        "dbt", "build", "--exclude-resource-type", "test", "unit_test",
        "--select", "+customer_lifecycle_transitions", "+customer_lifecycle_intervals_adaptive",
        "+bridge_record_customer",
        "--vars", golden.VARS,
        data_root=root,
    )  # fmt: skip
    return root


@pytest.fixture(scope="session")
def compiled(golden_root: Path) -> Compiled:
    """The lifecycle models as dbt compiled them for the golden cases."""
    return Compiled.from_target(golden_root / "target")


@pytest.fixture
def empty_warehouse(golden_root: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse that holds the seeds of the rules, with a business unit of each type."""
    # The catalogue has the file's name, which compiled SQL refers to.
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(f"attach '{golden_root}/warehouse.duckdb' as built (read_only)")
        connection.execute("create schema seeds")
        for name in SEEDS:
            connection.execute(f"create table seeds.{name} as from built.seeds.{name}")
        connection.execute("detach built")
        connection.executemany(
            "insert into seeds.business_unit values (?, ?)",
            [(f"unit of {name}", name) for name in THRESHOLDS],
        )
        yield connection


@pytest.fixture
def as_of() -> date:
    """Day that made-up populations are looked at from; no month end, so the score is older."""
    return date(2025, 3, 20)
