"""Alerts by brute force: every customer, every day, straight from the facts, in plain Python.

It shares neither SQL nor seeds with the models: thresholds are written out once more, and what holds
is counted anew on every day. An alert is kept open or closed by walking through the days.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from lifecycle.evaluator import CYCLES, THRESHOLDS, Brand, Customer, Order, _type_on

DAY = timedelta(days=1)
NO_END = date(2999, 12, 31)
EARLY = Fraction(3, 4)
FALL_MIN, FALL_RATIO = 4, Fraction(1, 2)
WINDOW_RATIO, DAY_RATIO = Fraction(3, 5), Fraction(1, 4)

# customer, alert, opened, closed, days from as_of to the threshold, business type when it opened
Alert = tuple[str, str, date, date | None, int | None, str | None]
# customer, day, events of an active day
ActiveDay = tuple[str, date, int]


def doubtful_days(active: Iterable[ActiveDay], as_of: date) -> set[date]:
    """Days on which so little arrived from anybody that nobody's fall is reported."""
    people, events = Counter(), Counter()
    for _, day, count in active:
        people[day] += 1
        events[day] += count
    first = min(people, default=as_of)
    doubtful = set()
    for n in range((as_of - first).days + 1):
        day = first + DAY * n
        now = sum(people[day - DAY * k] for k in range(28))
        before = sum(people[day - DAY * k] for k in range(28, 56))
        usual = [events[day - DAY * k] for k in range(1, 29) if day - DAY * k >= first]
        if now < WINDOW_RATIO * before or (
            usual and events[day] < DAY_RATIO * Fraction(statistics.median(usual))
        ):
            doubtful.add(day)
    return doubtful


@dataclass
class _Silence:
    """One alert of one customer while the days go by."""

    counted_from: date | None = None
    opened: date | None = None
    business_type: str = ""
    found: list[tuple[date, date, str]] = field(default_factory=list)

    def close(self, day: date) -> None:
        if self.opened is not None:
            self.found.append((self.opened, day, self.business_type))
        self.opened = None

    def look(
        self, day: date, business_type: str, counted_from: date | None, opens: date | None
    ) -> None:
        """A later start of the silence ends the one before; an earlier one goes on with it."""
        before, self.counted_from = self.counted_from, counted_from
        if counted_from is None or before is None or counted_from > before:
            self.close(day)
        if self.opened is None and opens is not None and opens <= day:
            self.opened, self.business_type = day, business_type


def _limit(business_type: str, latest: Order | None) -> int:
    line = latest.main_line() if latest else None
    if business_type == "med_aesthetics" and line and line.cycle:
        return math.ceil(CYCLES["sleep"] * line.cycle)
    return THRESHOLDS[business_type]["sleep"]


def _clocks(
    customer: Customer, business_type: str, first: date, day: date
) -> dict[str, tuple[date | None, date | None, date | None]]:
    """By alert: the day that is counted from, the day to open on, the day of the full threshold."""
    valid = [(o.on, o.second, n, o) for n, o in enumerate(customer.orders) if o.is_valid_on(day)]
    latest = max(valid, key=lambda v: v[:3])[3] if valid else None
    active = max((a for a in customer.active_days() if a <= day), default=first)
    begun = [s for s in customer.subscriptions if s.start <= day]
    warn = _limit(business_type, latest)
    early = warn - math.ceil(EARLY * warn)
    if business_type in ("content_game", "education"):
        counted_from, due = active, active + DAY * warn
    elif business_type == "saas" and begun:
        counted_from = max(begun, key=lambda s: s.start).period_end or NO_END
        due = counted_from - DAY * warn
    else:
        counted_from = latest.on if latest else None
        due = counted_from + DAY * warn if counted_from else None
    inactive = active + DAY * THRESHOLDS[business_type]["dormant"]
    return {
        "churn_warning": (counted_from, due, due),
        "churn_pre_warning": (counted_from, due - DAY * early if due else None, due),
        "inactive_days": (active, inactive, inactive),
    }


def _drops(
    customer: Customer, first: date, last: date, left_on: date | None, doubtful: set[date]
) -> list[tuple[date, date | None]]:
    found, opened = [], None
    active = customer.active_days()
    for n in range((last - first).days + 1):
        day = first + DAY * n
        now = sum((day - DAY * k) in active for k in range(28))
        before = sum((day - DAY * k) in active for k in range(28, 56))
        is_fallen = before >= FALL_MIN and now <= FALL_RATIO * before
        if is_fallen and opened is None and day not in doubtful:
            opened = day
        if not is_fallen and opened is not None:
            found.append((opened, day))
            opened = None
    return [*found, (opened, left_on)] if opened else found


def alerts(
    brand: Brand, active: Iterable[ActiveDay], anonymous: frozenset[str] = frozenset()
) -> set[Alert]:
    """All alerts up to the brand's as_of."""
    doubtful = doubtful_days(active, brand.as_of)
    found: set[Alert] = set()
    for name, customer in brand.customers.items():
        first = customer.first_touch()
        if customer.is_test or name in anonymous or first is None or first > brand.as_of:
            continue
        silences: dict[str, _Silence] = {}
        has_left = customer.erased_on is not None and customer.erased_on <= brand.as_of
        left_on = customer.erased_on if has_left else None
        last = left_on - DAY if left_on else brand.as_of
        for n in range((last - first).days + 1):
            day = first + DAY * n
            business_type = _type_on(customer, day, brand.default_type)
            clocks = _clocks(customer, business_type, first, day)
            for code, (counted_from, opens, due) in clocks.items():
                silence = silences.setdefault(code, _Silence())
                silence.look(day, business_type, counted_from, opens)
                if day == brand.as_of and silence.opened is not None:
                    days = (due - day).days
                    found.add((name, code, silence.opened, None, days, silence.business_type))
        for code, silence in silences.items():
            if left_on is not None:
                silence.close(left_on)
            found |= {
                (name, code, begun, ended, None, kind) for begun, ended, kind in silence.found
            }
        found |= {
            (name, "activity_drop", opened, closed, None, None)
            for opened, closed in _drops(customer, first, last, left_on, doubtful)
        }
    return found
