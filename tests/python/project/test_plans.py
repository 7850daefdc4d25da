"""No model compares every row of one input with every row of another, which is quick on a demo and never ends on a shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

# A join on anything but an equality ends in one of these; with few rows on one side that does no harm.
PAIRWISE = ("BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN")
MANY_ROWS = 50


def compared_pairwise(plan: dict) -> Iterator[str]:
    """Conditions of the joins in a plan that compare many rows with many."""
    if plan["name"].strip() in PAIRWISE:
        info = [child.get("extra_info", {}) for child in plan["children"]]
        counts = [int(i["Estimated Cardinality"]) for i in info if "Estimated Cardinality" in i]
        if len(counts) == 2 and min(counts) >= MANY_ROWS:
            told = plan["extra_info"]
            yield f"{told.get('Condition') or told.get('Conditions')}: {counts} rows"
    for child in plan["children"]:
        yield from compared_pairwise(child)


def plan_of(connection: duckdb.DuckDBPyConnection, sql: str) -> dict:
    return json.loads(connection.execute(f"explain (format json) {sql}").fetchone()[1])[0]


@pytest.fixture(scope="module")
def warehouse(demo_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def test_no_model_compares_every_pair_of_rows(
    warehouse: duckdb.DuckDBPyConnection, compiled_models: dict[str, str]
) -> None:
    found = {
        name: told
        for name, sql in compiled_models.items()
        if (told := list(compared_pairwise(plan_of(warehouse, sql))))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("condition", "is_found"),
    [
        ("a.customer_id = b.customer_id", False),
        ("a.customer_id = b.customer_id and a.is_valid", True),
        ("a.customer_id = b.customer_id or a.order_key = b.order_key", True),
        ("a.customer_id = nullif(b.customer_id, b.order_key)", False),
    ],
)
def test_what_is_found(
    warehouse: duckdb.DuckDBPyConnection, condition: str, is_found: bool
) -> None:
    sql = f"select 1 from core.fct_order as a left join core.fct_order as b on {condition}"
    assert bool(list(compared_pairwise(plan_of(warehouse, sql)))) == is_found
