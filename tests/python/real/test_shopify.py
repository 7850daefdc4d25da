"""Rows as a loader lands them, in both shapes of each table: none refused, unknown or lost."""

from __future__ import annotations

import csv
import re
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml
from checkout import run

SETTINGS = {
    "channels": {
        "shopify": ["account", "event", "order_header", "order_line", "product", "refund", "lookup"]
    }
}


@pytest.fixture(scope="module")
def files(real_data: Path) -> dict[Path, str]:
    """Each file of the sample with the table that it belongs to."""
    found = sorted((real_data / "shopify").glob("shopify_*_data.csv"))
    return {path: re.sub(r"^shopify_(gql_)?|_data[.]csv$", "", path.name) for path in found}


@pytest.fixture(scope="module")
def shop(
    files: dict[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> duckdb.DuckDBPyConnection:
    root = tmp_path_factory.mktemp("shopify")
    for path, table in files.items():
        folder = root / "landing" / "shopify" / table
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.name)
    run("perennial", "land", data_root=root, PERENNIAL_KEY="a key of thirty-two bytes or more")
    run(
        "dbt", "build", "--select", "placeholder_word", "staging.shopify", "unified",
        "--exclude-resource-type", "unit_test", "--vars", yaml.safe_dump(SETTINGS), data_root=root,
    )  # fmt: skip
    connection = duckdb.connect(str(root / "warehouse.duckdb"), read_only=True)
    connection.execute(
        f"create temp view files as from read_parquet('{root}/ledger/files.parquet')"
    )
    connection.execute("set search_path = 'unified'")
    return connection


def _records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _rows(shop: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    return shop.execute(sql).fetchall()


def test_every_column_of_both_shapes_is_declared(shop, files) -> None:
    landed = _rows(
        shop, "select file_name, table_name, status, unknown_columns from files order by file_name"
    )
    assert landed == sorted((path.name, table, "landed", None) for path, table in files.items())


def test_every_record_is_accounted_for(shop, files) -> None:
    raw = Counter()
    for path, table in files.items():
        raw[table] += len(_records(path))
    accounted = _rows(
        shop, "select _table, sum(records) from int_unified__accounting group by _table"
    )
    assert {table: int(n) for table, n in accounted} == raw


def test_orders_of_both_shapes(shop, files) -> None:
    paths = [path for path, table in files.items() if table == "order"]
    stated = {
        record["id"]: Decimal(record.get("total_price") or record["total_price_set_shop_amount"])
        for path in paths
        for record in _records(path)
    }
    orders = _rows(shop, "select source_record_id, paid_amount, status from unified_order_header")
    assert {order: paid for order, paid, _ in orders} == stated
    assert Counter(status for *_, status in orders) == {"paid": 7, "completed": 2, "cancelled": 8}


def test_discounts_come_off_the_lines(shop) -> None:
    lines = dict(_rows(shop, "select source_record_id, line_paid from unified_order_line"))
    assert len(lines) == 13
    # the newer shape states the price of all pieces: 19.99 less an allocated 5.00
    assert lines["10001"] == Decimal("14.99")
    # the older one the price of a piece: two at 2.80
    assert lines["5708321914977"] == Decimal("5.60")


def test_refunds_without_their_header_wait(shop) -> None:
    # no refund header of the sample belongs to one of its lines or adjustments
    waiting = _rows(shop, "select reason, count(*) from quarantine_refund group by reason")
    assert waiting == [("missing_refunded_at", 30)]


def test_no_raw_identifier_gets_through(shop, files) -> None:
    customers = [path for path, table in files.items() if table == "customer"]
    emails = {record["email"] for path in customers for record in _records(path)} - {""}
    assert emails
    tokens = _rows(shop, "select distinct email_raw from unified_account")
    assert len(tokens) > 1
    assert not emails & {token for (token,) in tokens}
