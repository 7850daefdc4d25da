"""The demo's stages, built from its raw files, against the evaluation of every single day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from .evaluator import Brand, Customer, Feedback, Line, Order, Referral, Refund, Subscription
from .warehouse import compare


@pytest.fixture
def built(demo_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def _day(moment: datetime | None) -> date | None:
    """Day in Asia/Shanghai, the business time zone of the demo, of a moment in UTC."""
    return (moment + timedelta(hours=8)).date() if moment else None


def _facts(built: duckdb.DuckDBPyConnection) -> tuple[list[Customer], list[Referral]]:
    """Persons and referrals with their facts, as the records state them: when ordered, paid, cancelled, given back.

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
    lines: dict[str, list[Line]] = defaultdict(list)
    for order_key, *line in built.execute(
        "select l.order_key, coalesce(p.category_l2, p.category_l1), p.service_cycle_days,"
        " coalesce(l.line_paid_amount, -1000000000) from core.fct_order_line as l"
        " inner join core.fct_order as o on l.order_key = o.order_key"
        " left join core.dim_product as p on l.product_key = p.product_key"
        " and (o.ordered_at >= p.valid_from or p.version_number = 1)"
        " and (o.ordered_at < p.valid_to or p.valid_to is null)"
        " order by l.order_line_key"
    ).fetchall():
        lines[order_key].append(Line(*line))
    orders: dict[str, list[Order]] = defaultdict(list)
    places: dict[str, tuple[str, int]] = {}
    for key, customer_id, on, paid_on, cancelled_on, status, kind, amount, *rest in built.execute(
        "select order_key, customer_id, ordered_on, paid_on, cancelled_on, status, order_kind,"
        " original_paid_amount, is_test, business_type, paid_amount is not null,"
        " epoch(ordered_at) from core.fct_order order by ordered_at, order_key"
    ).fetchall():
        is_test, business_type, has_rate, second = rest
        places[key] = customer_id, len(orders[customer_id])
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
                lines=tuple(lines[key]),
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
    feedback: dict[str, list[Feedback]] = defaultdict(list)
    for customer_id, *answer in built.execute(
        "select customer_id, feedback_on, feedback_kind, score, cast(scale_max as integer), status,"
        " epoch(feedback_at) from core.fct_feedback where not is_test order by feedback_key"
    ).fetchall():
        feedback[customer_id].append(Feedback(*answer))
    subscriptions: dict[str, list[Subscription]] = defaultdict(list)
    for customer_id, status, start, *moments in built.execute(
        "select customer_id, status, start_on, trial_end_at, current_period_end_at, ended_at,"
        " cancelled_at from core.fct_subscription where not is_test order by subscription_key"
    ).fetchall():
        trial_end, period_end, ended, cancelled = map(_day, moments)
        has_ended = ended is not None or status in ("cancelled", "ended")
        subscriptions[customer_id].append(
            Subscription(
                start,
                (ended or period_end or cancelled) if has_ended else None,
                period_end,
                None if status in ("trialing", "paused") else max(start, trial_end or start),
            )
        )
    erased = dict(
        built.execute(
            "select customer_id, min(event_on) from core.fct_privacy_event"
            " where action = 'erase' and not is_test group by all"
        ).fetchall()
    )
    referrals = [
        Referral(
            referrer,
            None if referee == "-1" else referee,
            (_day(invited), second) if invited else None,
            places.get(order_key),
            is_test,
        )
        for referrer, referee, invited, second, order_key, is_test in built.execute(
            "select referrer_customer_id, referee_customer_id, invited_at, epoch(invited_at),"
            " converted_order_key, is_test from core.fct_referral"
        ).fetchall()
    ]
    customers = [
        Customer(
            customer_id,
            registered_on=min((r for r, _ in accounts[customer_id] if r), default=None),
            created_on=min((c for r, c in accounts[customer_id] if c and not r), default=None),
            is_test=is_test,
            active_on=tuple(active[customer_id]),
            passive_on=tuple(passive[customer_id]),
            orders=tuple(orders[customer_id]),
            loose_refunds=tuple(loose[customer_id]),
            subscriptions=tuple(subscriptions[customer_id]),
            feedback=tuple(feedback[customer_id]),
            erased_on=erased.get(customer_id),
        )
        for customer_id, is_test in built.execute(
            "select customer_id, is_test from core.dim_customer where not is_unknown"
        ).fetchall()
    ]
    return customers, referrals


def test_no_customer_day_of_the_demo_differs(built: duckdb.DuckDBPyConnection) -> None:
    (as_of,) = built.execute("select as_of from core.int_core__as_of").fetchone()
    customers, referrals = _facts(built)
    compared, differing = compare(built, Brand(customers, as_of, referrals))
    assert differing[:3] == []
    assert compared > 2_500_000
