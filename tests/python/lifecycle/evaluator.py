"""Stages by brute force: every customer, every day, straight from the facts, in plain Python.

This is the independent answer that the SQL models are compared with. It shares no code, no seed
and no intermediate result with them: thresholds and rules are written out once more, and every
feature of every day is counted anew from all facts. Money is Decimal, days are dates of the
business time zone.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

DAY = timedelta(days=1)

# What each business type calls active, a habit, sleeping, dormant, lost and mature.
THRESHOLDS: Mapping[str, Mapping[str, int]] = {
    name: dict(zip(("active", "habit", "sleep", "dormant", "churn", "mature"), values, strict=True))
    for name, values in {
        "ecommerce": (4, 8, 90, 90, 180, 4),
        "fmcg": (3, 6, 90, 90, 150, 4),
        "food": (3, 6, 60, 60, 120, 5),
        "beauty_skincare": (3, 6, 90, 120, 240, 3),
        "luxury": (2, 4, 270, 365, 730, 2),
        "restaurant": (2, 6, 45, 45, 90, 6),
        "sports": (3, 6, 120, 150, 300, 3),
        "saas": (8, 12, 30, 14, 180, 365),
        "education": (6, 10, 21, 30, 90, 2),
        "med_aesthetics": (1, 2, 108, 135, 270, 3),
        "content_game": (8, 14, 10, 14, 30, 20),
    }.items()
}
REPLENISH = {"fmcg": 30, "food": 21, "beauty_skincare": 60}
CYCLES = {"sleep": Fraction(6, 5), "dormant": Fraction(3, 2), "churn": Fraction(3)}
GAPS = {"sleep": Fraction(3, 2), "dormant": Fraction(3, 2), "churn": Fraction(3)}
FALL_MIN, FALL_RATIO, VALUE_HIGH, GRACE_DAYS = 4, 0.5, 0.8, 7
MODELS = ("growth5", "maturity5", "value5", "classic5", "relation5")
MODES = ("fixed", "adaptive")
SILENT = {"lost", "dormant", "sleeping"}


@dataclass(frozen=True)
class Refund:
    """Money given back on a day; only completed ones count."""

    on: date
    amount: Decimal
    is_completed: bool = True


@dataclass(frozen=True)
class Line:
    """A product of an order, as it was when it was ordered."""

    category: str | None
    cycle: int | None
    amount: Decimal


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
    lines: tuple[Line, ...] = ()

    def counts_from(self) -> date | None:
        """First day on which the order is valid; None if there is none."""
        start = max(self.on, self.paid_on) if self.paid_on else None
        return start if start and self.is_valid_on(start) else None

    def main_line(self) -> Line | None:
        """The line with the largest amount, the first of equals."""
        return max(self.lines, key=lambda line: line.amount, default=None)

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
class Feedback:
    """An answer, a review or a post; `second` orders several of one day."""

    on: date
    kind: str
    score: Decimal | None = None
    scale: int | None = None
    status: str | None = None
    second: int = 0


@dataclass(frozen=True)
class Referral:
    """Somebody told a friend; `order` is the friend's order that the record names, by owner and place.

    `invited` is the day and second of the invitation.
    """

    referrer: str
    referee: str | None = None
    invited: tuple[date, int] | None = None
    order: tuple[str, int] | None = None
    is_test: bool = False


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
    feedback: tuple[Feedback, ...] = ()
    erased_on: date | None = None

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


@dataclass(frozen=True, slots=True)
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
    sub_stage: str | None = None


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
    is_paying: bool
    referrals: int
    ugc: int
    nps: Decimal | None
    service_cycle: int | None
    expected_gap: Fraction | None
    mode: str = "fixed"

    def limit(self, name: str) -> int:
        """Days after which silence of any kind is `name`."""
        if self.business_type == "med_aesthetics" and self.service_cycle and name in CYCLES:
            return math.ceil(CYCLES[name] * self.service_cycle)
        return THRESHOLDS[self.business_type][name]

    def order_limit(self, name: str) -> int:
        """Days since the last order after which a customer is `name`."""
        fixed = self.limit(name)
        if self.mode == "fixed" or self.expected_gap is None:
            return fixed
        own = math.ceil(GAPS[name] * self.expected_gap)
        return min(max(own, math.ceil(Fraction(fixed, 2))), 2 * fixed)

    def without_order_for(self, name: str) -> bool:
        """Whether the last order is so long ago."""
        return self.since_order is not None and self.since_order >= self.order_limit(name)


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


def _contract_facts(customer: Customer, day: date, business_type: str) -> dict[str, object]:
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
        "is_paying": any(s.is_paid_on(day) for s in begun),
    }


class Brand:
    """All customers and referrals, and what one customer's stages need to know of the others."""

    def __init__(
        self,
        customers: Sequence[Customer],
        as_of: date,
        referrals: Sequence[Referral] = (),
        default_type: str = "ecommerce",
    ) -> None:
        self.customers = {c.customer_id: c for c in customers}
        self.as_of = as_of
        self.default_type = default_type
        self.referrals: dict[str, list[Referral]] = {}
        for referral in referrals:
            self.referrals.setdefault(referral.referrer, []).append(referral)
        starts = (c.first_touch() for c in customers)
        first = min((s for s in starts if s is not None), default=as_of)
        self.places = {m: value_places(customers, m) for m in _month_ends(first, as_of)}
        self._category_gaps: dict[tuple[str, date], Fraction | None] = {}
        self._purchases: dict[str, list[set[date]]] = {}
        for customer in customers:
            days: dict[str, set[date]] = {}
            for order in customer.orders if not customer.is_test else ():
                start = order.counts_from()
                for line in order.lines:
                    if start and line.category:
                        days.setdefault(line.category, set()).add(start)
            for category, found in days.items():
                self._purchases.setdefault(category, []).append(found)

    def category_gap(self, category: str | None, day: date) -> Fraction | None:
        """Median gap between purchases in a category, as known at the last month end by a day."""
        if category is None:
            return None
        month_end = day if (day + DAY).day == 1 else day.replace(day=1) - DAY
        key = category, month_end
        if key not in self._category_gaps:
            gaps = []
            for days in self._purchases.get(category, []):
                known = sorted(d for d in days if d <= month_end)
                gaps += _gaps(known)
            self._category_gaps[key] = Fraction(statistics.median(gaps)) if gaps else None
        return self._category_gaps[key]

    def has_succeeded(self, referral: Referral, day: date) -> date | None:
        """Day from which a referral counts as successful, with what is known on a day."""
        if referral.is_test or referral.referee == referral.referrer:
            return None
        owners = [(referral.referee, None), referral.order or (None, None)]
        candidates = [
            ((order.on, order.second, f"{owner}-{n:04d}"), order)
            for owner, place in owners
            if owner in self.customers
            for n, order in enumerate(self.customers[owner].orders)
            if place in (None, n) and order.is_valid_on(day)
        ]
        if not candidates:
            return None
        placed, first = min(candidates, key=lambda candidate: candidate[0])
        if referral.invited is not None and placed[:2] < referral.invited:
            return None
        return first.counts_from()


def _gaps(days: Sequence[date]) -> list[int]:
    return [(b - a).days for a, b in itertools.pairwise(days)]


def _advocacy(brand: Brand, customer: Customer, day: date) -> dict[str, object]:
    won = [brand.has_succeeded(r, day) for r in brand.referrals.get(customer.customer_id, [])]
    told = [f for f in customer.feedback if f.on <= day]
    answers = [
        (f.on, f.second, n, f.score)
        for n, f in enumerate(told)
        if f.kind == "nps" and f.scale == 10 and f.score is not None
    ]
    return {
        "referrals": sum(w is not None and (day - w).days < 365 for w in won),
        "ugc": sum(
            f.kind in ("ugc", "review") and f.status == "approved" and (day - f.on).days < 365
            for f in told
        ),
        "nps": max(answers)[-1] if answers else None,
    }


def _rhythm(
    brand: Brand, valid: Sequence[tuple[int, Order]], business_type: str
) -> dict[str, object]:
    latest = max(valid, key=lambda v: (v[1].on, v[1].second, v[0]), default=(0, None))[1]
    line = latest.main_line() if latest else None
    gaps = _gaps(sorted({o.on for _, o in valid}))
    gap = Fraction(statistics.median(gaps)) if len(gaps) >= 3 else None
    if gap is None and latest and line:
        gap = brand.category_gap(line.category, latest.on)
    if gap is None and business_type in REPLENISH:
        gap = Fraction(REPLENISH[business_type])
    return {"service_cycle": line.cycle if line else None, "expected_gap": gap}


def _facts(brand: Brand, customer: Customer, start: date, day: date) -> _Facts:
    valid = [(n, o) for n, o in enumerate(customer.orders) if o.is_valid_on(day)]
    active = [a for a in customer.active_days() if a <= day]
    scored = [m for m in brand.places if m <= day]
    business_type = _type_on(customer, day, brand.default_type)
    return _Facts(
        orders=len(valid),
        since_order=(day - max(o.on for _, o in valid)).days if valid else None,
        since_active=(day - max(active, default=start)).days,
        active_28=sum((day - a).days < 28 for a in active),
        active_prev28=sum(28 <= (day - a).days < 56 for a in active),
        active_ever=len(active),
        is_registered=customer.registered_on is not None and customer.registered_on <= day,
        value_pct=brand.places[max(scored)].get(customer.customer_id) if scored else None,
        business_type=business_type,
        **_contract_facts(customer, day, business_type),
        **_advocacy(brand, customer, day),
        **_rhythm(brand, valid, business_type),
    )


def _reached(days: int | None, limit: int) -> bool:
    return days is not None and days >= limit


def _first(stage: str, *clauses: bool) -> tuple[str, int] | None:
    return next(((stage, n) for n, holds in enumerate(clauses, 1) if holds), None)


def _growth5(f: _Facts) -> tuple[str, int]:
    repeats = f.orders >= 2
    match f.business_type:
        case "saas":
            ended = f.since_contract
            kept = (
                repeats and f.is_paying,
                f.subscriptions >= 2 and f.is_paying,
                repeats and ended is not None and ended < GRACE_DAYS,
                repeats and f.subscriptions == 0 and not f.without_order_for("churn"),
            )
            won = (f.orders >= 1, f.is_paying)
        case "education" | "content_game":
            kept = (repeats and f.since_active < f.limit("churn"),)
            won = (f.orders >= 1,)
        case _:
            kept = (repeats and not f.without_order_for("churn"),)
            won = (f.orders >= 1,)
    return (
        _first("refer", f.referrals >= 1, f.ugc >= 1 and f.orders >= 1)
        or _first("retain", *kept)
        or _first("convert", *won)
        or _first("activate", f.is_registered and f.active_28 >= f.limit("active"))
        or ("pull_in", 1)
    )


def _is_lost(f: _Facts) -> tuple[str, int] | None:
    churn, dormant = f.limit("churn"), f.limit("dormant")
    match f.business_type:
        case "content_game":
            return _first("lost", f.since_active >= churn)
        case "saas":
            return _first(
                "lost",
                _reached(f.since_contract, GRACE_DAYS),
                f.subscriptions == 0 and f.since_active >= churn,
            )
        case "education":
            course_over = f.to_period_end is not None and -f.to_period_end >= churn
            return _first(
                "lost",
                f.orders >= 1 and course_over and f.since_active >= dormant,
                f.subscriptions == 0 and f.since_active >= churn,
                f.orders == 0 and f.since_active >= churn,
            )
        case _:
            return _first(
                "lost",
                f.without_order_for("churn") and f.since_active >= dormant,
                f.orders == 0 and f.since_active >= churn,
            )


def _maturity5(f: _Facts) -> tuple[str, int]:
    if lost := _is_lost(f):
        return lost
    match f.business_type:
        case "content_game" | "saas":
            is_silent = f.since_active >= f.limit("dormant")
        case "education":
            is_silent = f.orders >= 1 and f.since_active >= f.limit("dormant")
        case _:
            is_silent = f.without_order_for("dormant")
    falls = f.active_prev28 >= FALL_MIN and f.active_28 <= FALL_RATIO * f.active_prev28
    grown = {"content_game": f.active_ever, "saas": f.paid_days}.get(f.business_type, f.orders)
    return (
        _first("dormant", is_silent, falls)
        or _first("mature", grown >= f.limit("mature"))
        or _first("growth", f.orders >= 2, f.active_28 >= f.limit("habit"))
        or ("intro", 1)
    )


def _value5(f: _Facts) -> tuple[str, int]:
    match f.business_type:
        case "saas":
            silent = (
                f.to_period_end is not None and f.to_period_end <= f.limit("sleep"),
                f.subscriptions == 0 and f.without_order_for("sleep"),
            )
        case "content_game":
            silent = (f.since_active >= f.limit("sleep"),)
        case "education":
            silent = (f.orders >= 1 and f.since_active >= f.limit("sleep"),)
        case _:
            silent = (f.without_order_for("sleep"),)
    is_rich = f.value_pct is not None and f.value_pct >= VALUE_HIGH
    return (
        _first("sleeping", *silent)
        or _first("high_value", f.orders >= 2 and is_rich)
        or _first("existing", f.orders >= 2)
        or _first("new", f.orders == 1, f.is_registered)
        or ("prospect", 1)
    )


def _classic5(f: _Facts) -> tuple[str, int]:
    speaks_well = f.nps is not None and f.nps >= 9
    return (
        _first("loyal", f.referrals >= 1, speaks_well, f.ugc >= 1 and f.orders >= 1)
        or _first("value", f.orders >= 2, f.is_paying)
        or _first("active", f.active_28 >= f.limit("active"))
        or _first("acquired", f.is_registered, f.orders == 1)
        or ("aware", 1)
    )


def _relation5(f: _Facts) -> tuple[str, int]:
    speaks_well = f.nps is not None and f.nps >= 9
    signs = (f.referrals >= 1, speaks_well, f.ugc >= 1)
    return (
        _first("confidant", *(sign and f.orders >= 3 for sign in signs))
        or _first("trust", f.orders >= 2)
        or _first("frequent", f.active_28 >= f.limit("habit"))
        or _first("friend", f.is_registered, f.orders == 1)
        or ("met", 1)
    )


_RULES = dict(zip(MODELS, (_growth5, _maturity5, _value5, _classic5, _relation5), strict=True))
_PARTS = {("value5", "new", 1): "new_buyer", ("value5", "new", 2): "new_lead"}


def customer_days(brand: Brand, customer: Customer) -> Iterator[tuple[str, str, date, CustomerDay]]:
    """Every (mode, model_code, day) of a customer, with what holds: from first touch to `as_of`, or
    to the day before the customer asks to be erased."""
    start = customer.first_touch()
    if customer.is_test or start is None:
        return
    keys = [(mode, model) for mode in MODES for model in MODELS]
    stage = dict.fromkeys(keys)
    previous = dict.fromkeys(keys)
    cycle = dict.fromkeys(keys, 1)
    was_high = dict.fromkeys(MODES, False)
    for n in range((brand.as_of - start).days + 1):
        day = start + DAY * n
        if customer.erased_on is not None and day >= customer.erased_on:
            return
        facts = _facts(brand, customer, start, day)
        for mode in MODES:
            facts.mode = mode
            found = {model: rule(facts) for model, rule in _RULES.items()}
            was_high[mode] = was_high[mode] or found["value5"][0] == "high_value"
            for model, (now, clause) in found.items():
                key = mode, model
                if now != stage[key]:
                    previous[key] = stage[key]
                    cycle[key] += stage[key] in SILENT and now not in SILENT
                    stage[key] = now
                yield (
                    mode,
                    model,
                    day,
                    CustomerDay(
                        stage=now,
                        clause=clause,
                        business_type=facts.business_type,
                        is_lost=found["maturity5"][0] == "lost",
                        is_dormant=found["maturity5"][0] == "dormant",
                        was_high_value=was_high[mode],
                        previous_stage=previous[key],
                        cycle=cycle[key],
                        sub_stage=_PARTS.get((model, now, clause)),
                    ),
                )
