"""The worked example on real till data: figures computed straight from the files, independent of the warehouse."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from checkout import run

SETTINGS = {
    "channels": {
        "completejourney": [
            "account", "benefit", "campaign", "order_header", "order_line", "product", "touch", "lookup",
        ]
    },
    "business_timezone": "America/New_York",
    "reporting_currency": "USD",
}  # fmt: skip


@pytest.fixture(scope="module")
def marts(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    root = tmp_path_factory.mktemp("completejourney")
    for path in sorted((real_data / "completejourney").glob("*.csv*")):
        table = root / "landing" / "completejourney" / path.name.split(".")[0]
        table.mkdir(parents=True)
        shutil.copy(path, table / path.name)
    run(
        "perennial", "run", "--as-of", "2017-09-30", "--vars", yaml.safe_dump(SETTINGS),
        data_root=root, PERENNIAL_KEY="a key of thirty-two bytes or more",
    )  # fmt: skip
    return duckdb.connect(str(root / "serving" / "marts.duckdb"), read_only=True)


@pytest.fixture(scope="module")
def lines(real_data: Path) -> list[dict[str, str]]:
    with gzip.open(real_data / "completejourney" / "transactions.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def _one(marts: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    return marts.execute(sql).fetchone()


def test_every_line_is_accounted_for(marts) -> None:
    accounted = _one(
        marts,
        "select raw_records, loaded_records, quarantined_records, duplicate_records, superseded_records, difference_records "
        "from reconciliation_files where table_name = 'transactions'",
    )
    assert accounted == (553_931, 553_923, 8, 0, 0, 0)


def test_exponents_are_quarantined_as_such(marts) -> None:
    reasons = marts.execute(
        "select reason, record_count from data_quality_reasons where table_name = 'transactions' and entity = 'order_line'"
    ).fetchall()
    assert reasons == [("unreadable_line_paid", 8)]


def test_orders_and_customers(marts) -> None:
    assert _one(marts, "select count(*), count(distinct customer_id) from fct_order") == (
        58_835,
        1_224,
    )
    assert _one(marts, "select count(*) from fct_order where is_valid") == (58_653,)
    assert _one(marts, "select count(*) from fct_order where exclusion_reason = 'zero_paid'") == (
        182,
    )


def test_net_sales_to_the_cent(marts) -> None:
    assert _one(marts, "select sum(net_amount) from fct_order where is_valid") == (
        Decimal("1705521.5500"),
    )
    assert _one(marts, "select sum(net_sales_by_order_day_amount) from sales_monthly") == (
        Decimal("1705521.5500"),
    )


def test_customers_who_came_back(marts) -> None:
    assert _one(
        marts,
        "select count(*) from (select customer_id from fct_order where is_valid group by customer_id having count(*) > 1)",
    ) == (1_199,)


def test_days_are_local_days(marts, lines) -> None:
    zone = ZoneInfo("America/New_York")
    baskets = {
        line["basket_id"]: datetime.fromisoformat(line["transaction_timestamp"]).replace(tzinfo=UTC)
        for line in reversed(lines)
    }
    local = Counter(moment.astimezone(zone).date() for moment in baskets.values())
    assert (
        dict(marts.execute("select ordered_on, count(*) from fct_order group by all").fetchall())
        == local
    )
    moved = sum(moment.astimezone(zone).date() != moment.date() for moment in baskets.values())
    assert moved == 10_516
    assert _one(
        marts, "select count(*) from fct_order where ordered_on <> cast(ordered_at as date)"
    ) == (10_516,)
