"""What predictions are made from: the state at any day, against core's facts up to that day only."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

# What depends on the planted facts, in the order in which it builds.
MODELS = (
    "int_core__order_states",
    "fct_order",
    "fct_refund",
    "fct_order_line",
    "int_clv__order_margins",
    "int_clv__day_changes",
)
STATE = """
    select
        customer_id, order_day_on, sum(order_delta) as orders, sum(net_sales_delta) as net_sales,
        sum(margin_delta) as margin
    from marts.int_clv__day_changes
    where known_on <= ?
    group by customer_id, order_day_on
    having sum(order_delta) > 0
"""
CENT = Decimal("0.01")
FOUR = Decimal("0.0001")


@pytest.fixture(scope="module")
def demo(demo_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> list[dict]:
    answer = connection.execute(sql, values)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _state(connection: duckdb.DuckDBPyConnection, day: date) -> dict[tuple, tuple]:
    return {row[:2]: row[2:] for row in connection.execute(STATE, [day]).fetchall()}


def _recomputed(connection: duckdb.DuckDBPyConnection, day: date) -> dict[tuple, tuple]:
    """The state as somebody would have written it down on that day, from facts dated up to it."""
    counted = {
        row["customer_id"]
        for row in _rows(connection, "from core.dim_customer")
        if not (row["is_unknown"] or row["is_anonymous"] or row["is_test"])
    }
    versions = defaultdict(list)
    for row in _rows(connection, "from core.dim_product order by valid_from"):
        # The business day ends at 16:00 UTC.
        if row["valid_from"] < datetime(day.year, day.month, day.day, 16):
            versions[row["product_key"]].append(row)
    refunds = defaultdict(list)
    for row in _rows(connection, "from core.int_core__refunds where refunded_on <= ?", day):
        if row["is_completed"] and row["order_key"]:
            refunds[row["order_key"]].append(row)
    lines = defaultdict(list)
    for row in _rows(connection, "from core.fct_order_line where ordered_on <= ?", day):
        lines[row["order_key"]].append(row)

    found: dict[tuple, list] = defaultdict(lambda: [0, None, None])
    for order in _rows(connection, "from core.int_core__orders where ordered_on <= ?", day):
        back = refunds[order["order_key"]]
        if (
            order["customer_id"] not in counted
            or order["is_test"]
            or order["order_kind"] not in (None, "sale")
            or order["original_paid_amount"] <= 0
            or order["paid_on"] is None
            or order["paid_on"] > day
            or (order["cancelled_on"] or date.max) <= day
            or (order["status"] == "cancelled" and order["cancelled_on"] is None)
            or sum(r["amount_in_order_currency"] or 0 for r in back)
            >= order["original_paid_amount"]
        ):
            continue
        entry = found[order["customer_id"], order["ordered_on"]]
        entry[0] += 1
        if order["paid_amount"] is None:
            continue
        entry[1] = (entry[1] or 0) + order["paid_amount"] - sum(r["refund_amount"] for r in back)
        margins = [
            _margin(line, versions[line["product_key"]], order["ordered_at"])
            for line in lines[order["order_key"]]
        ]
        if any(margin is not None for margin in margins):
            kept = [r["refund_kind"] in ("price_adjust", "chargeback") for r in back]
            returned = sum(r["refund_amount"] for r, k in zip(back, kept, strict=True) if not k)
            given = sum(r["refund_amount"] for r, k in zip(back, kept, strict=True) if k)
            margin = sum(m for m in margins if m is not None)
            entry[2] = (entry[2] or 0) + margin * (1 - returned / order["paid_amount"]) - given
    return {key: tuple(entry) for key, entry in found.items()}


def _margin(line: Mapping, versions: list[dict], ordered_at: datetime) -> Decimal | None:
    if line["margin_source"] != "product":
        return line["margin_amount"]
    in_force = [v for v in versions if v["valid_from"] <= ordered_at]
    assert in_force, "a line has a cost from a version that nobody knew then"
    version = in_force[-1]
    if version["unit_cost_amount"] is None:
        margin = line["line_paid_amount"] * version["margin_rate"]
    else:
        margin = line["line_paid_amount"] - line["quantity"] * version["unit_cost_amount"]
    return margin.quantize(FOUR, ROUND_HALF_UP)


def _assert_same(found: dict[tuple, tuple], expected: dict[tuple, tuple]) -> None:
    assert found.keys() == expected.keys()
    for key, (orders, net_sales, margin) in found.items():
        assert (orders, net_sales) == expected[key][:2], key
        assert (margin is None) == (expected[key][2] is None), key
        assert margin is None or abs(margin - expected[key][2]) < CENT, key


def test_today_the_changes_add_up_to_what_customers_have_spent(
    demo: duckdb.DuckDBPyConnection,
) -> None:
    wrong = _rows(demo, """
        with as_of as (from core.int_core__as_of),
        days as (
            select customer_id, count(*) as order_days, min(order_day_on) as first_on, max(order_day_on) as last_on
            from (
                select customer_id, order_day_on from marts.int_clv__day_changes
                where order_day_on is not null group by all having sum(order_delta) > 0
            ) group by customer_id
        ),
        sums as (
            select customer_id, sum(order_delta) as orders, sum(net_sales_delta) as net_sales, sum(margin_delta) as margin
            from marts.int_clv__day_changes group by customer_id
        ),
        facts as (
            select customer_id, count(distinct ordered_on) as order_days from core.fct_order where is_valid group by customer_id
        )
        select clv.customer_id
        from marts.customer_clv as clv
        join as_of on clv.as_of = as_of.as_of
        left join sums using (customer_id) left join days using (customer_id) left join facts using (customer_id)
        where coalesce(sums.orders, 0) <> clv.order_count
            or coalesce(sums.net_sales, 0) <> clv.net_sales_amount
            or coalesce(abs(sums.margin - clv.gross_profit_lifetime), 0) > 0.01
            or coalesce(days.order_days, 0) <> coalesce(facts.order_days, 0)
            or days.first_on is distinct from clv.first_order_on
            or days.last_on is distinct from clv.last_order_on
    """)  # fmt: skip
    assert wrong == []
    left_out = _rows(demo, """
        select customer_id from marts.int_clv__day_changes
        union select customer_id from marts.customer_clv where as_of = (select as_of from core.int_core__as_of)
        except select customer_id from marts.int_clv__prospects
    """)  # fmt: skip
    assert left_out == []


@pytest.mark.parametrize("days_ago", [0, 45, 183, 400])
def test_the_state_of_a_past_day_is_what_was_known_then(
    demo: duckdb.DuckDBPyConnection, days_ago: int
) -> None:
    as_of = demo.execute("select as_of from core.int_core__as_of").fetchone()[0]
    day = as_of - timedelta(days=days_ago)
    expected = _recomputed(demo, day)
    assert len(expected) > 50
    _assert_same(_state(demo, day), expected)


def test_nothing_dated_after_the_cut_reaches_it(
    demo_root: Path, manifest: dict, tmp_path: Path
) -> None:
    """One fact of each kind is planted after the cut: the state there stays, today's changes."""
    # The catalogue has the file's name, which compiled SQL refers to.
    shutil.copy(demo_root / "warehouse.duckdb", tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        as_of = connection.execute("select as_of from core.int_core__as_of").fetchone()[0]
        cut = as_of - timedelta(days=120)
        later = cut + timedelta(days=2)
        before, today = _state(connection, cut), _state(connection, as_of)
        planted = _plant(connection, cut, later)
        for name in MODELS:
            node = manifest["nodes"][f"model.perennial.{name}"]
            connection.execute(
                f"create or replace table {node['relation_name']} as {node['compiled_code']}"
            )
        assert _state(connection, cut) == before
        _assert_same(before, _recomputed(connection, cut))
        after = _state(connection, as_of)
        changed = {
            key[0] for key in today.keys() | after.keys() if today.get(key) != after.get(key)
        }
        assert {kind for kind, customers in planted.items() if not customers & changed} == set()


def _plant(connection: duckdb.DuckDBPyConnection, cut: date, later: date) -> dict[str, set[str]]:
    """Facts after the cut by kind, with the customers whose state of today each must change."""
    orders = connection.execute(
        """
        select min(order_key), customer_id from core.fct_order
        join marts.int_clv__prospects using (customer_id)
        where valid_from_on <= ? and valid_to_on is null and net_amount > 10 and refunded_amount = 0
        group by customer_id order by customer_id limit 4
        """,
        [cut],
    ).fetchall()
    (order, buyer), (paid, payer), (refund, returner), (cancelled, canceller) = orders
    for key, ordered_on, source in (
        ("planted:order", later, order),
        ("planted:payment", cut - timedelta(days=3), paid),
    ):
        connection.execute(
            """
            insert into core.int_core__orders by name
            select * replace (? as order_key, ? as ordered_on, ? as paid_on, cast(? as timestamp) as ordered_at)
            from core.int_core__orders where order_key = ?
            """,
            [key, ordered_on, later, ordered_on, source],
        )
    connection.execute(
        "update core.int_core__orders set cancelled_on = ?, status = 'cancelled' where order_key = ?",
        [later, cancelled],
    )
    connection.execute(
        """
        insert into core.int_core__refunds by name
        select * replace (
            'planted:refund' as refund_key, ? as order_key, ? as customer_id, ? as refunded_on, cast(? as timestamp) as refunded_at,
            true as is_completed, false as is_test, 'refund' as refund_kind, 1 as amount_in_order_currency, 1 as refund_amount
        ) from core.int_core__refunds limit 1
        """,
        [refund, returner, later, later],
    )
    product = connection.execute(
        """
        select product_key from core.fct_order_line join core.dim_product using (product_key)
        where is_current and ordered_on > ? and margin_source = 'product' and dim_product.unit_cost_amount is not null and valid_from < ?
        group by product_key order by count(*) desc, product_key limit 1
        """,
        [later, cut],
    ).fetchone()[0]
    connection.execute(
        """
        insert into core.dim_product by name
        select * replace (
            cast(? as timestamp) as valid_from, unit_cost_amount + 1 as unit_cost_amount, version_number + 1 as version_number
        ) from core.dim_product where product_key = ? and is_current
        """,
        [later, product],
    )
    connection.execute(
        """
        update core.dim_product set valid_to = cast(? as timestamp), is_current = false
        where product_key = ? and is_current and valid_from < cast(? as timestamp)
        """,
        [later, product, later],
    )
    customers = connection.execute(
        "select distinct customer_id from core.fct_order_line where product_key = ? and ordered_on > ?",
        [product, later],
    ).fetchall()
    return {
        "order": {buyer},
        "payment": {payer},
        "refund": {returner},
        "cancellation": {canceller},
        "price version": {row[0] for row in customers} - {buyer, payer, returner, canceller},
    }
