"""The demo's stages, built from its raw files, against the evaluation of every single day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from .evaluator import Customer, Order, Refund, daily_stages
from .warehouse import interval_days


@pytest.fixture
def built(demo_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def _day(moment: datetime | None) -> date | None:
    """Day in Asia/Shanghai, the business time zone of the demo, of a moment in UTC."""
    return (moment + timedelta(hours=8)).date() if moment else None


def _customers(built: duckdb.DuckDBPyConnection) -> list[Customer]:
    """Persons with their facts, as the records state them: when ordered, paid, cancelled, given back.

    What core concludes from them (which days an order is valid on, what is active) is not read.
    """
    refunds: dict[str | None, list[Refund]] = defaultdict(list)
    loose: dict[str, list[Refund]] = defaultdict(list)
    for order_key, customer_id, on, amount, is_completed in built.execute(
        "select order_key, customer_id, refunded_on, original_amount, is_completed"
        " from core.fct_refund where not is_test"
    ).fetchall():
        refund = Refund(on, amount, is_completed)
        if order_key is None:
            loose[customer_id].append(refund)
        else:
            refunds[order_key].append(refund)
    orders: dict[str, list[Order]] = defaultdict(list)
    for key, customer_id, on, paid_on, cancelled_on, status, kind, amount, *rest in built.execute(
        "select order_key, customer_id, ordered_on, paid_on, cancelled_on, status, order_kind,"
        " original_paid_amount, is_test, business_type, paid_amount is not null,"
        " row_number() over (order by ordered_at, order_key) from core.fct_order"
    ).fetchall():
        is_test, business_type, has_rate, second = rest
        was_never = status == "cancelled" and cancelled_on is None
        orders[customer_id].append(
            Order(
                on,
                amount,
                second=second,
                paid_on=paid_on,
                cancelled_on=cancelled_on,
                is_sale=kind in (None, "sale") and not was_never,
                is_test=is_test,
                business_type=business_type,
                refunds=tuple(refunds[key]),
                has_rate=has_rate,
            )
        )
    active, passive = defaultdict(set), defaultdict(set)
    for customer_id, on, name in built.execute(
        "select distinct customer_id, event_on, event_name from core.fct_event"
        " where not is_bot and not is_test"
    ).fetchall():
        days = passive if name in ("impression_owned", "unfollow") else active
        days[customer_id].add(on)
    accounts: dict[str, list[tuple[date | None, date | None]]] = defaultdict(list)
    for customer_id, registered_at, created_at in built.execute(
        "select customer_id, registered_at, created_at from core.int_core__accounts"
        " where not is_test"
    ).fetchall():
        accounts[customer_id].append((_day(registered_at), _day(created_at)))
    return [
        Customer(
            customer_id,
            registered_on=min((r for r, _ in accounts[customer_id] if r), default=None),
            created_on=min((c for r, c in accounts[customer_id] if c and not r), default=None),
            is_test=is_test,
            active_on=tuple(active[customer_id]),
            passive_on=tuple(passive[customer_id]),
            orders=tuple(orders[customer_id]),
            loose_refunds=tuple(loose[customer_id]),
        )
        for customer_id, is_test in built.execute(
            "select customer_id, is_test from core.dim_customer where not is_unknown"
        ).fetchall()
    ]


def test_no_customer_day_of_the_demo_differs(built: duckdb.DuckDBPyConnection) -> None:
    (as_of,) = built.execute("select as_of from core.int_core__as_of").fetchone()
    found = interval_days(built, as_of)
    expected = {
        (c, model, day): holds for c, model, day, holds in daily_stages(_customers(built), as_of)
    }
    differing = [
        (key, expected.get(key), found.get(key))
        for key in expected.keys() | found.keys()
        if found.get(key) != [expected.get(key)]
    ]
    assert differing[:3] == []
    assert len(expected) > 500_000
