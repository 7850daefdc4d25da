"""Stages by brute force: every customer, every day, straight from the facts, in plain Python.

This is the independent answer that the SQL models are compared with. It shares no code, no seed
and no intermediate result with them: thresholds and rules are written out once more, and every
feature of every day is counted anew from all facts. Money is Decimal, days are dates of the
business time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

DAY = timedelta(days=1)

# What each business type calls a habit, sleeping, dormant, lost and mature.
THRESHOLDS: Mapping[str, Mapping[str, int]] = {
    name: dict(zip(("habit", "sleep", "dormant", "churn", "mature"), values, strict=True))
    for name, values in {
        "ecommerce": (8, 90, 90, 180, 4),
        "fmcg": (6, 90, 90, 150, 4),
        "food": (6, 60, 60, 120, 5),
        "beauty_skincare": (6, 90, 120, 240, 3),
        "luxury": (4, 270, 365, 730, 2),
        "restaurant": (6, 45, 45, 90, 6),
        "sports": (6, 120, 150, 300, 3),
        "saas": (12, 30, 14, 180, 365),
        "education": (10, 21, 30, 90, 2),
        "med_aesthetics": (2, 108, 135, 270, 3),
        "content_game": (14, 10, 14, 30, 20),
    }.items()
}
FALL_MIN, FALL_RATIO, VALUE_HIGH, GRACE_DAYS = 4, 0.5, 0.8, 7
RANKS = {
    "maturity5": ("lost", "dormant", "intro", "growth", "mature"),
    "value5": ("sleeping", "prospect", "new", "existing", "high_value"),
}
SILENT = {"lost", "dormant", "sleeping"}


@dataclass(frozen=True)
class Refund:
    """Money given back on a day; only completed ones count."""

    on: date
    amount: Decimal
    is_completed: bool = True


@dataclass(frozen=True)
class Order:
    """An order as it was placed; `second` orders several of one day.

    Without a rate into the reporting currency it counts as an order and brings no money.
    """

    on: date
    amount: Decimal
    second: int = 0
    paid_on: date | None = None
    cancelled_on: date | None = None
    is_sale: bool = True
    is_test: bool = False
    business_type: str | None = None
    unit_type: str | None = None
    refunds: tuple[Refund, ...] = ()
    has_rate: bool = True

    def is_valid_on(self, day: date) -> bool:
        """Whether the order counts on a day, with what was known on that day."""
        if self.is_test or not self.is_sale or self.amount <= 0 or self.paid_on is None:
            return False
        if max(self.on, self.paid_on) > day:
            return False
        if self.cancelled_on is not None and self.cancelled_on <= day:
            return False
        return self.given_back_by(day) < self.amount

    def given_back_by(self, day: date) -> Decimal:
        """Completed refunds dated on or before a day."""
        return sum((r.amount for r in self.refunds if r.is_completed and r.on <= day), Decimal(0))


@dataclass(frozen=True)
class Subscription:
    """A contract in its newest state: live on the days start <= day < end."""

    start: date
    end: date | None = None
    period_end: date | None = None
    paid_from: date | None = None

    def is_live_on(self, day: date) -> bool:
        """Whether the contract runs on a day."""
        return self.start <= day and (self.end is None or day < self.end)

    def is_paid_on(self, day: date) -> bool:
        """Whether the contract runs on a day and its trial, if any, is over."""
        return self.paid_from is not None and self.paid_from <= day and self.is_live_on(day)


@dataclass(frozen=True)
class Customer:
    """Everything that is known of one person; `created_on` is that of accounts without registration."""

    customer_id: str
    registered_on: date | None = None
    created_on: date | None = None
    unit_type: str | None = None
    is_test: bool = False
    active_on: tuple[date, ...] = ()
    passive_on: tuple[date, ...] = ()
    orders: tuple[Order, ...] = ()
    loose_refunds: tuple[Refund, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()

    def first_touch(self) -> date | None:
        """Day on which the customer's stages begin; None for who never appeared."""
        seen = [on for on in (self.registered_on, self.created_on) if on]
        seen += [*self.active_on, *self.passive_on, *(o.on for o in self.orders if not o.is_test)]
        return min(seen, default=None)

    def active_days(self) -> set[date]:
        """Days with a qualifying event or a placed order, whatever became of the order later."""
        return set(self.active_on) | {o.on for o in self.orders if not o.is_test}

    def net_sales_by(self, day: date) -> Decimal:
        """Lifetime net sales as known on a day."""
        own = sum(
            (
                o.amount - o.given_back_by(day)
                for o in self.orders
                if o.has_rate and o.is_valid_on(day)
            ),
            Decimal(0),
        )
        loose = sum(
            (r.amount for r in self.loose_refunds if r.is_completed and r.on <= day), Decimal(0)
        )
        return own - loose


@dataclass(frozen=True)
class CustomerDay:
    """One customer on one day under one model, as `customer_lifecycle_intervals` should say it."""

    stage: str
    clause: int
    business_type: str
    is_lost: bool
    is_dormant: bool
    was_high_value: bool
    previous_stage: str | None
    cycle: int


@dataclass
class _Facts:
    """Features of a customer on a day."""

    orders: int
    since_order: int | None
    since_active: int
    active_28: int
    active_prev28: int
    active_ever: int
    is_registered: bool
    value_pct: float | None
    business_type: str
    subscriptions: int
    since_contract: int | None
    to_period_end: int | None
    paid_days: int
    limits: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.limits = THRESHOLDS[self.business_type]


def _month_ends(first: date, last: date) -> list[date]:
    days = (first + DAY * n for n in range((last - first).days + 1))
    return [day for day in days if (day + DAY).day == 1]


def value_places(customers: Sequence[Customer], month_end: date) -> dict[str, float]:
    """Share of the other buyers whose net sales are lower, by customer, for a month's buyers."""
    net = {
        c.customer_id: c.net_sales_by(month_end)
        for c in customers
        if not c.is_test and any(o.is_valid_on(month_end) for o in c.orders)
    }
    return {
        name: sum(other < mine for other in net.values()) / (len(net) - 1) if len(net) > 1 else 0.0
        for name, mine in net.items()
    }


def _type_on(customer: Customer, day: date, default: str) -> str:
    placed = [o for o in customer.orders if not o.is_test and o.on <= day]
    latest = max(placed, key=lambda o: (o.on, o.second), default=None)
    of_order = (latest.business_type, latest.unit_type) if latest else ()
    for candidate in (*of_order, customer.unit_type):
        if candidate in THRESHOLDS:
            return candidate
    return default


def _contract_facts(customer: Customer, day: date, business_type: str) -> dict[str, int | None]:
    begun = [s for s in customer.subscriptions if s.start <= day]
    newest = max(begun, key=lambda s: s.start, default=None)
    ended = [s.end for s in begun if s.end is not None]
    is_live = any(s.is_live_on(day) for s in begun)
    first = min((s.start for s in begun), default=day)
    # Costly, and read by one business type only.
    days_run = (day - first).days if business_type == "saas" else 0
    earlier = (first + DAY * n for n in range(days_run))
    return {
        "subscriptions": len(begun),
        "since_contract": (day - max(ended)).days if begun and not is_live else None,
        "to_period_end": (newest.period_end - day).days if newest and newest.period_end else None,
        "paid_days": sum(any(s.is_paid_on(past) for s in begun) for past in earlier),
    }


def _facts(
    customer: Customer, day: date, places: Mapping[date, Mapping[str, float]], default: str
) -> _Facts:
    valid = [o.on for o in customer.orders if o.is_valid_on(day)]
    active = [a for a in customer.active_days() if a <= day]
    start = customer.first_touch()
    assert start is not None
    scored = [m for m in places if m <= day]
    business_type = _type_on(customer, day, default)
    return _Facts(
        orders=len(valid),
        since_order=(day - max(valid)).days if valid else None,
        since_active=(day - max(active, default=start)).days,
        active_28=sum((day - a).days < 28 for a in active),
        active_prev28=sum(28 <= (day - a).days < 56 for a in active),
        active_ever=len(active),
        is_registered=customer.registered_on is not None and customer.registered_on <= day,
        value_pct=places[max(scored)].get(customer.customer_id) if scored else None,
        business_type=business_type,
        **_contract_facts(customer, day, business_type),
    )


def _reached(days: int | None, limit: int) -> bool:
    return days is not None and days >= limit


def _is_lost(f: _Facts) -> tuple[str, int] | None:
    churn, dormant = f.limits["churn"], f.limits["dormant"]
    match f.business_type:
        case "content_game":
            clauses = [f.since_active >= churn]
        case "saas":
            clauses = [
                _reached(f.since_contract, GRACE_DAYS),
                f.subscriptions == 0 and f.since_active >= churn,
            ]
        case "education":
            course_over = f.to_period_end is not None and -f.to_period_end >= churn
            clauses = [
                f.orders >= 1 and course_over and f.since_active >= dormant,
                f.subscriptions == 0 and f.since_active >= churn,
                f.orders == 0 and f.since_active >= churn,
            ]
        case _:
            clauses = [
                _reached(f.since_order, churn) and f.since_active >= dormant,
                f.orders == 0 and f.since_active >= churn,
            ]
    return next((("lost", n) for n, holds in enumerate(clauses, 1) if holds), None)


def _maturity5(f: _Facts) -> tuple[str, int]:
    limits = f.limits
    if lost := _is_lost(f):
        return lost
    is_silent = {
        "content_game": f.since_active >= limits["dormant"],
        "saas": f.since_active >= limits["dormant"],
        "education": f.orders >= 1 and f.since_active >= limits["dormant"],
    }.get(f.business_type, _reached(f.since_order, limits["dormant"]))
    if is_silent:
        return "dormant", 1
    if f.active_prev28 >= FALL_MIN and f.active_28 <= FALL_RATIO * f.active_prev28:
        return "dormant", 2
    grown = {"content_game": f.active_ever, "saas": f.paid_days}.get(f.business_type, f.orders)
    if grown >= limits["mature"]:
        return "mature", 1
    if f.orders >= 2:
        return "growth", 1
    if f.active_28 >= limits["habit"]:
        return "growth", 2
    return "intro", 1


def _value5(f: _Facts) -> tuple[str, int]:
    sleep = f.limits["sleep"]
    if f.business_type == "saas":
        if f.to_period_end is not None and f.to_period_end <= sleep:
            return "sleeping", 1
        if f.subscriptions == 0 and _reached(f.since_order, sleep):
            return "sleeping", 2
    elif {
        "content_game": f.since_active >= sleep,
        "education": f.orders >= 1 and f.since_active >= sleep,
    }.get(f.business_type, _reached(f.since_order, sleep)):
        return "sleeping", 1
    if f.orders >= 2:
        if f.value_pct is not None and f.value_pct >= VALUE_HIGH:
            return "high_value", 1
        return "existing", 1
    if f.orders == 1:
        return "new", 1
    if f.is_registered:
        return "new", 2
    return "prospect", 1


def daily_stages(
    customers: Sequence[Customer], as_of: date, default_type: str = "ecommerce"
) -> Iterator[tuple[str, str, date, CustomerDay]]:
    """Every (customer_id, model_code, day) from first touch to `as_of`, with what holds then."""
    starts = [c.first_touch() for c in customers]
    first = min((s for s in starts if s is not None), default=as_of)
    places = {m: value_places(customers, m) for m in _month_ends(first, as_of)}
    for customer, start in zip(customers, starts, strict=True):
        if customer.is_test or start is None:
            continue
        stage = dict.fromkeys(RANKS)
        previous = dict.fromkeys(RANKS)
        cycle = dict.fromkeys(RANKS, 1)
        was_high = False
        for n in range((as_of - start).days + 1):
            day = start + DAY * n
            facts = _facts(customer, day, places, default_type)
            found = {"maturity5": _maturity5(facts), "value5": _value5(facts)}
            was_high = was_high or found["value5"][0] == "high_value"
            for model, (now, clause) in found.items():
                if now != stage[model]:
                    previous[model] = stage[model]
                    cycle[model] += stage[model] in SILENT and now not in SILENT
                    stage[model] = now
                yield (
                    customer.customer_id,
                    model,
                    day,
                    CustomerDay(
                        stage=now,
                        clause=clause,
                        business_type=facts.business_type,
                        is_lost=found["maturity5"][0] == "lost",
                        is_dormant=found["maturity5"][0] == "dormant",
                        was_high_value=was_high,
                        previous_stage=previous[model],
                        cycle=cycle[model],
                    ),
                )
