"""A brand with a till and nothing else: everything builds, and what nobody measured is NULL and not 0."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from checkout import run


@pytest.fixture(scope="module")
def till_only(demo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple]:
    root = tmp_path_factory.mktemp("till")
    shutil.copytree(demo_root / "landing" / "pos", root / "landing" / "pos")
    shutil.rmtree(root / "landing" / "pos" / "items")
    (root / "vault").mkdir(mode=0o700)
    shutil.copy2(demo_root / "vault" / "demo.key", root / "vault" / "demo.key")
    run("perennial", "land", data_root=root)
    run("dbt", "build", "--exclude-resource-type", "unit_test", data_root=root)

    def ask(sql: str) -> tuple:
        with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchone()

    return ask


def test_what_is_there_counts(till_only) -> None:
    orders, customers = till_only(
        "select count(*), count(distinct customer_id) from core.fct_order where is_valid"
    )
    assert orders > 100
    assert customers > 50
    assert till_only("select count(*) from marts.customer_rfm")[0] > 50
    assert till_only("select count(*) from marts.customer_lifecycle_intervals")[0] > 50


def test_what_nobody_measured_is_null(till_only) -> None:
    """No ads, so no cost of acquiring anybody; no item costs, so no profit; no predictions."""
    customers, cac, profit, predicted = till_only(
        "select count(*), count(cac_amount), count(gross_profit_lifetime), count(predicted_value_365d) from marts.customer_clv"
    )
    assert customers > 50
    assert (cac, profit, predicted) == (0, 0, 0)


@pytest.mark.parametrize(
    "table", ["fct_event", "fct_session", "fct_spend", "fct_touch", "fct_benefit"]
)
def test_absent_sources_give_empty_typed_tables(till_only, table: str) -> None:
    assert till_only(f"select count(*) from core.{table}") == (0,)
