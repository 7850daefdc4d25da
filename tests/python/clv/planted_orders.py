"""Planted shops: order days of customers who buy by Pareto/NBD and spend by Gamma-Gamma."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from orchestration.clv import learning

AS_OF = date(2026, 6, 30)
WITHOUT_SKLEARN = f"scikit-learn is not installed; it is the extra `ml`: {learning.INSTALL}"
CHANGES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("order_day_on", pa.date32()),
        ("known_on", pa.date32()),
        ("order_delta", pa.int64()),
        ("net_sales_delta", pa.decimal128(18, 4)),
        ("margin_delta", pa.decimal128(18, 4)),
    ]
)
PROSPECTS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("acquisition_channel", pa.string()),
        ("first_seen_on", pa.date32()),
        ("registered_on", pa.date32()),
        ("relationship_type", pa.string()),
    ]
)
SUBSCRIPTIONS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("status", pa.string()),
        ("start_on", pa.date32()),
        ("trial_end_on", pa.date32()),
        ("current_period_end_on", pa.date32()),
        ("cancelled_on", pa.date32()),
        ("ended_on", pa.date32()),
        ("mrr_amount", pa.decimal128(18, 4)),
        ("is_test", pa.bool_()),
    ]
)


def changes(rows: list[tuple]) -> pa.Table:
    """(customer, order day, known on, orders, value, margin) with days before `AS_OF`, which may be
    negative: days after it."""
    return pa.Table.from_pylist(
        [
            {
                "customer_id": who,
                "order_day_on": None if day is None else AS_OF - timedelta(days=int(day)),
                "known_on": AS_OF - timedelta(days=int(known)),
                "order_delta": orders,
                "net_sales_delta": None if value is None else Decimal(str(value)),
                "margin_delta": None if margin is None else Decimal(str(margin)),
            }
            for who, day, known, orders, value, margin in rows
        ],
        CHANGES,
    )


def prospects(rows: list[tuple]) -> pa.Table:
    """(customer, channel, first seen so many days before `AS_OF`, relationship)."""
    return pa.Table.from_pylist(
        [
            {
                "customer_id": who,
                "acquisition_channel": channel,
                "first_seen_on": AS_OF - timedelta(days=int(seen)),
                "relationship_type": relationship,
            }
            for who, channel, seen, relationship in rows
        ],
        PROSPECTS,
    )


def subscriptions(rows: list[tuple]) -> pa.Table:
    """(customer, status, started, trial ended, ended, revenue a month[, end of the period[,
    cancelled]]) with days before `AS_OF`."""

    def day(ago: int | None) -> date | None:
        return None if ago is None else AS_OF - timedelta(days=int(ago))

    return pa.Table.from_pylist(
        [
            {
                "customer_id": who,
                "status": status,
                "start_on": day(start),
                "trial_end_on": day(trial),
                "current_period_end_on": day(more[0]) if more else None,
                "cancelled_on": day(more[1]) if len(more) > 1 else None,
                "ended_on": day(end),
                "mrr_amount": None if revenue is None else Decimal(str(revenue)),
                "is_test": False,
            }
            for who, status, start, trial, end, revenue, *more in rows
        ],
        SUBSCRIPTIONS,
    )


def shop(
    customers: int = 900,
    days: int = 900,
    seed: int = 1,
    rate: tuple[float, float] = (0.8, 60.0),
    death: tuple[float, float] = (0.6, 200.0),
    silent: int = 100,
    repeat: bool = True,
) -> tuple[pa.Table, pa.Table]:
    """Customers who came over `days`, and `silent` more who never ordered; margins are 40 %."""
    rng = np.random.default_rng(seed)
    rows, people = [], []
    for number in range(customers):
        who, came = f"c{number:05}", int(rng.integers(1, days))
        end = rng.exponential(1 / rng.gamma(death[0], 1 / death[1]))
        own_rate, spend = rng.gamma(rate[0], 1 / rate[1]), 6 * 30 / rng.gamma(4.0)
        at, ordered = 0.0, {0}
        while repeat and (at := at + rng.exponential(1 / own_rate)) < min(end, came):
            ordered.add(int(at))
        for day in sorted(ordered):
            value = round(float(spend * rng.gamma(6.0) / 6), 2)
            rows.append((who, came - day, came - day, 1, value, round(0.4 * value, 4)))
        channel = ("search", "wechat")[number % 2]
        people.append((who, channel, came + int(rng.integers(0, 60)), "noncontractual"))
    people += [
        (f"s{number:05}", ("search", "wechat")[number % 2], int(rng.integers(1, days)), None)
        for number in range(silent)
    ]
    return changes(rows), prospects(people)
