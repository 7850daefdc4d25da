"""Customers made up to hit the edges: gaps at every threshold and the days beside it."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

from .evaluator import (
    THRESHOLDS,
    Customer,
    Feedback,
    Line,
    Order,
    Referral,
    Refund,
    Subscription,
)

DAY = timedelta(days=1)
_EDGES = sorted(
    {28, 56}
    | {limits[key] for limits in THRESHOLDS.values() for key in ("sleep", "dormant", "churn")}
)
GAPS = sorted({0, 1, 2, 3, 5, 7, 14} | {edge + n for edge in _EDGES for n in (-1, 0, 1)})
TYPES = (*THRESHOLDS, "pets", None, None)
# Category and service cycle of what is sold.
PRODUCTS = (("tea", None), ("tea", 30), ("care", 61), ("wide", 45), ("rare", None), (None, 90))


def _order(rng: random.Random, on: date, kind: str | None) -> Order:
    amount = Decimal(rng.choice((0, 50, 50, 100, 100, 200, 500)))
    paid = rng.choice((on, on, on, on, on + DAY, on + 5 * DAY, None))
    parts = rng.choice(((), (), (), (1,), (0.5,), (0.5, 0.5), (0.25, 0.8)))
    refunds = tuple(
        Refund(
            on + DAY * rng.choice((0, 1, 10, 40, 100)),
            (amount * Decimal(part)).quantize(Decimal("0.01")),
            rng.random() < 0.9,
        )
        for part in parts
    )
    lines = tuple(
        Line(*rng.choice(PRODUCTS), Decimal(rng.choice((5, 10, 20))))
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))
    )
    cancelled = on + DAY * rng.choice((0, 1, 30)) if rng.random() < 0.07 else None
    return Order(
        on,
        amount,
        second=rng.randrange(1000),
        paid_on=paid,
        cancelled_on=cancelled,
        is_sale=rng.random() < 0.95,
        is_test=rng.random() < 0.03,
        business_type=kind,
        unit_type=rng.choice((None, None, None, "food")),
        refunds=refunds,
        has_rate=rng.random() < 0.95,
        lines=lines,
    )


def _feedback(rng: random.Random, first: date, horizon: int) -> tuple[Feedback, ...]:
    found = []
    for _ in range(rng.choice((0, 0, 0, 1, 1, 3, 6))):
        kind = rng.choice(("nps", "nps", "ugc", "review", "csat", "ticket"))
        is_scored = kind in ("nps", "csat", "review") and rng.random() < 0.9
        found.append(
            Feedback(
                first + DAY * rng.randrange(-3, max(horizon, 1)),
                kind,
                Decimal(rng.choice((0, 3, 8, 9, 10))) if is_scored else None,
                rng.choice((10, 10, 5)) if is_scored else None,
                rng.choice(("approved", "approved", "rejected"))
                if kind in ("ugc", "review")
                else None,
                rng.randrange(4),
            )
        )
    return tuple(found)


def _subscriptions(rng: random.Random, first: date) -> tuple[Subscription, ...]:
    found, day = [], first + DAY * rng.choice((0, 3, 20))
    for _ in range(rng.choice((1, 1, 2, 3))):
        days = rng.choice((30, 90, 365))
        paid_from = day + DAY * rng.choice((0, 0, 14)) if rng.random() < 0.9 else None
        ends = day + DAY * rng.choice((days, days, days - 10)) if rng.random() < 0.8 else None
        period_end = day + DAY * days if rng.random() < 0.9 else None
        found.append(Subscription(day, ends, period_end, paid_from))
        day += DAY * (days + rng.choice((-20, 0, 3, 6, 7, 8, 40)))
    return tuple(found)


def _erased_on(rng: random.Random, first: date) -> date | None:
    return first + DAY * rng.choice((-1, 0, 1, 40, 400)) if rng.random() < 0.05 else None


def random_customer(rng: random.Random, name: str, start: date, horizon: int) -> Customer:
    """One life within `horizon` days after `start`, with gaps that lie at thresholds."""
    first = start + DAY * rng.randrange(max(horizon // 2, 1))
    kind = rng.choice(TYPES)
    orders, day = [], first + DAY * rng.choice((0, 0, 1, 30))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 5, 8))):
        kind = rng.choice(TYPES) if rng.random() < 0.1 else kind
        orders.append(_order(rng, day, kind))
        day += DAY * (rng.choice(GAPS) if rng.random() < 0.7 else rng.randrange(60))
    active, day = [], first + DAY * rng.choice((0, 0, 0, 1, 90))
    is_steady = rng.random() < 0.1
    for _ in range(90 if is_steady else rng.choice((0, 0, 1, 4, 10, 30))):
        active.append(day)
        gap = rng.choice(GAPS) if rng.random() < 0.15 and not is_steady else rng.randrange(1, 8)
        day += DAY * gap
    registered = first + DAY * rng.choice((0, 0, 1, 20, 100)) if rng.random() < 0.6 else None
    return Customer(
        name,
        registered_on=registered,
        created_on=first if registered is None and rng.random() < 0.5 else None,
        unit_type=rng.choice((None, None, "food", "luxury")),
        is_test=rng.random() < 0.03,
        active_on=tuple(sorted(set(active))),
        passive_on=(first,) if rng.random() < 0.3 else (),
        orders=tuple(orders),
        loose_refunds=(Refund(day, Decimal(70)),) if rng.random() < 0.05 else (),
        subscriptions=_subscriptions(rng, first) if is_steady or rng.random() < 0.4 else (),
        feedback=_feedback(rng, first, horizon // 2),
        erased_on=_erased_on(random.Random(f"{name} {first}"), first),
    )


def random_population(seed: int, size: int, start: date, horizon: int) -> list[Customer]:
    """`size` customers, the same for the same seed."""
    rng = random.Random(seed)
    return [random_customer(rng, f"c_{n:05d}", start, horizon) for n in range(size)]


def random_referrals(rng: random.Random, customers: list[Customer]) -> list[Referral]:
    """About one for every second customer: friends, strangers, oneself, with and without an order."""
    found = []
    for referrer in customers:
        if rng.random() < 0.5:
            continue
        friend = rng.choice(customers)
        named = rng.choice(customers)
        number = rng.randrange(len(named.orders)) if named.orders else None
        start = friend.first_touch() or referrer.first_touch()
        invited = None
        if start is not None and rng.random() < 0.8:
            invited = start + DAY * rng.choice((-30, -1, 0, 1, 40)), rng.randrange(1000)
        found.append(
            Referral(
                referrer.customer_id,
                rng.choice((friend.customer_id,) * 6 + (referrer.customer_id, None)),
                invited,
                (named.customer_id, number) if number is not None and rng.random() < 0.4 else None,
                rng.random() < 0.05,
            )
        )
    return found
