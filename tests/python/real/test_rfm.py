"""RFM on five years of real orders through the channel `direct`: two figures known beforehand."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from checkout import run

KEY = "a key of thirty-two bytes or more"
SETTINGS = {"as_of": "2006-12-31", "rfm_window_days": None}
FIXED = {"rfm_method": "fixed", "rfm_config_name": "example"}
HEADER = [
    "source_system",
    "source_record_id",
    "ordered_at",
    "status",
    "paid_amount",
    "currency",
    "account_ref",
]


@pytest.fixture(scope="module")
def root(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data root with every order landed, built up to customer_rfm with fixed cuts."""
    root = tmp_path_factory.mktemp("rfm")
    table = root / "landing" / "direct" / "order_header"
    table.mkdir(parents=True)
    with (
        (real_data / "rfm" / "orders.csv").open(newline="", encoding="utf-8") as source,
        (table / "orders.csv").open("w", newline="", encoding="utf-8") as target,
    ):
        writer = csv.writer(target)
        writer.writerow(HEADER)
        for number, row in enumerate(csv.DictReader(source), start=1):
            paid = ["completed", row["revenue"], "CNY"]
            writer.writerow(["shop", number, row["order_date"], *paid, row["customer_id"]])
    run("perennial", "land", data_root=root, PERENNIAL_KEY=KEY)
    build(root, "+customer_rfm", **FIXED)
    return root


def build(root: Path, selected: str, **settings: str) -> None:
    run(
        "dbt", "build", "--select", selected, "--exclude", "test_type:unit", "customer_snapshot",
        "--indirect-selection", "cautious", "--vars", json.dumps(SETTINGS | settings),
        data_root=root,
    )  # fmt: skip


def ask(root: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_every_order_counts(root: Path) -> None:
    valid = ask(root, "select count(*), sum(net_amount) from core.fct_order where is_valid")
    assert valid == [(4_906, Decimal(464_158))]


def test_segment_by_fixed_cuts(root: Path) -> None:
    segment = ask(
        root,
        "select count(*), sum(frequency), sum(monetary_amount) from marts.customer_rfm "
        "where as_of = '2006-12-31' and least(r_score, f_score, m_score) >= 4",
    )
    assert segment == [(158, 1_234, Decimal(120_178))]


def test_frequency_scores_by_quantile_cuts(root: Path) -> None:
    build(root, "int_rfm__customer_values+")
    sizes = ask(
        root,
        "select f_score, count(*) from marts.customer_rfm where as_of = '2006-12-31' "
        "group by all order by all",
    )
    assert sizes == [(1, 268), (2, 187), (3, 176), (4, 244), (5, 120)]
