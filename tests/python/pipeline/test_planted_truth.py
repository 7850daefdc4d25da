"""The warehouse recovers what the demo planted: an oracle that knows every person, order and broken row."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from checkout import run


@pytest.fixture(scope="module")
def truth(demo_root: Path) -> dict:
    return json.loads((demo_root / "truth" / "expectations.json").read_text())


@pytest.fixture
def joined(demo_root: Path):
    """A connection that sees the warehouse (tables under `warehouse.`) and the truth (views)."""
    connection = duckdb.connect()
    connection.execute(f"attach '{demo_root}/warehouse.duckdb' as warehouse (read_only)")
    for path in (demo_root / "truth").glob("*.parquet"):
        connection.execute(f"create view truth_{path.stem} as from read_parquet('{path}')")
    yield connection
    connection.close()


def test_every_order_is_judged_as_planted(joined) -> None:
    differing = joined.execute(
        """
        select count(*)
        from truth_orders as t
        full join warehouse.core.fct_order as o on o.source_system = t.source_system and o.order_id = t.source_record_id
        where o.order_id is null or t.source_record_id is null
            or o.ordered_on <> t.ordered_on
            or (case when o.exclusion_reason is null and o.is_rate_missing then 'no_rate' else o.exclusion_reason end)
                is distinct from t.exclusion_reason
            or (t.is_valid and o.net_amount is distinct from t.net_amount)
        """
    ).fetchone()[0]
    assert differing == 0


def test_money_to_the_cent(joined, truth: dict) -> None:
    money = {name: Decimal(value) for name, value in truth["money"].items()}
    by_order_day, by_refund_day = joined.execute(
        "select sum(net_sales_by_order_day_amount), sum(net_sales_by_refund_day_amount) from warehouse.marts.sales_monthly"
    ).fetchone()
    assert by_order_day == money["net_sales_by_order_day"]
    assert by_refund_day == money["net_sales_by_refund_day"]
    spend = joined.execute(
        "select sum(cost_amount) from warehouse.core.fct_spend where cost_kind = 'acquisition'"
    ).fetchone()[0]
    assert spend == money["acquisition_spend"]


def test_records_of_every_table_go_where_they_were_planted(joined, truth: dict) -> None:
    found = {
        f"{channel}/{table}": dict(zip(("raw", "loaded", "quarantined", "duplicate", "superseded"), counts, strict=True))
        for channel, table, *counts in joined.execute(
            """
            select channel, table_name, sum(raw_records), sum(loaded_records), sum(quarantined_records),
                sum(duplicate_records), sum(superseded_records)
            from warehouse.marts.reconciliation_files group by all
            """
        ).fetchall()
    }  # fmt: skip
    expected = {
        table: {outcome: n for outcome, n in counts.items() if outcome != "files"}
        for table, counts in truth["records"].items()
    }
    assert found == expected


def test_every_broken_row_is_caught(joined, demo_root: Path) -> None:
    caught = joined.execute(
        f"""
        select t.fault, t.stage, t.reason
        from truth_broken_records as t
        inner join warehouse.marts.reconciliation_files as f
            on f.channel = t.channel and f.table_name = t.table_name and f.file_name like '%' || t.file_name
        left join (
            select file_sha, line, reason from read_parquet('{
            demo_root
        }/quarantine/*/*/*.parquet', union_by_name = true)
            union all
            {
            " union all ".join(
                f"select _file_sha, _line, reason from warehouse.unified.quarantine_{entity}"
                for entity in (
                    "account",
                    "event",
                    "order_header",
                    "order_line",
                    "refund",
                    "product",
                    "spend",
                    "touch",
                    "campaign",
                    "benefit",
                    "feedback",
                    "referral",
                    "subscription",
                    "privacy_event",
                    "identity_link",
                )
            )
        }
            union all
            select _file_sha, _line, reason from warehouse.staging.stg_shopify__lookup where outcome = 'quarantined'
        ) as q on q.file_sha = f.file_sha and q.line = t.line
        where q.reason is null and t.stage in ('landing', 'unified')
        """
    ).fetchall()
    assert Counter(caught) == Counter()


def test_identity_finds_the_planted_persons(joined, demo_root: Path, tmp_path: Path) -> None:
    """Pairs of accounts: precision and recall against the planted persons, and no customer that swallows many.

    Account ids of the other systems are personal and reach the warehouse as tokens.
    """
    accounts = "(select * from {{ ref('bridge_record_customer') }} where entity = 'account')"
    truth = f"(select * from read_parquet('{demo_root}/truth/accounts.parquet') where source_system in ('shopify', 'crm', 'tmall'))"
    query = (
        f"{{% set accounts %}}{accounts}{{% endset %}}{{% set truth %}}{truth}{{% endset %}}"
        "{{ identity_scores(accounts, truth, ['source_system', 'source_record_id']) }}"
    )
    # dbt opens a warehouse for writing, and other tests are reading this one.
    root = tmp_path / "data"
    shutil.copytree(demo_root, root, ignore=shutil.ignore_patterns("landing", "truth", "target"))
    shown = run(*("dbt", "--quiet", "show", "--output", "json", "--inline", query), data_root=root)
    (scores,) = json.loads(shown.stdout)["show"]
    assert scores["missing_count"] == 0
    assert scores["pair_precision"] > 0.9 and scores["pair_recall"] > 0.9, scores
    assert scores["largest_customer"] <= 10, scores
    largest = joined.execute(
        "select max(account_count) from warehouse.core.dim_customer where not is_unknown"
    ).fetchone()[0]
    assert largest <= 20
