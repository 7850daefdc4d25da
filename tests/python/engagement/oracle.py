"""The definitions of the engagement marts, counted the slow way: sets of people for every day, month and window.

Reads core only. Nothing here shares a step with the models: no running sums, no windows of SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median

import duckdb

DAY = timedelta(days=1)
ALL = "all"
VIEWS = ("page_view", "content_view")
Ask = Callable[[str], list[tuple]]


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return (month + 31 * DAY).replace(day=1)


def month_end(month: date) -> date:
    return next_month(month) - DAY


def age(cohort: date, month: date) -> int:
    return (month.year - cohort.year) * 12 + month.month - cohort.month


@dataclass
class Facts:
    """Core facts up to as_of, by customer."""

    as_of: date
    identified: set[str]
    first_channel: dict[str, str]
    registered_on: dict[str, date]
    events: list[tuple]
    active: dict[str, set[date]]
    orders: dict[str, list[tuple]]
    purchases: dict[str, list[date]] = field(default_factory=dict)


def read(connection: duckdb.DuckDBPyConnection) -> Facts:
    """Facts of the core tables of a built warehouse."""

    def ask(sql: str) -> list[tuple]:
        return connection.execute(sql).fetchall()

    ((as_of,),) = ask("select as_of from core.int_core__as_of")
    customers = ask(
        "select customer_id, first_channel, registered_at, registered_on,"
        " not (is_unknown or is_anonymous or is_test) from core.dim_customer"
    )
    identified = {c for c, *_, is_identified in customers if is_identified}
    sessions = dict(ask("select session_id, channel_code from core.fct_session"))
    events = [
        (customer, on, at, name, sessions.get(session, channel or "unattributed"), session, *rest)
        for customer, on, at, name, channel, session, *rest in ask(
            "select customer_id, event_on, event_at, event_name, channel_code, session_id,"
            " engagement_ms, event_name not in ('impression_owned', 'unfollow')"
            " from core.fct_event where not is_bot and not is_test"
        )
        if on <= as_of
    ]
    active = defaultdict(set)
    for customer, on, *_, is_active in events:
        if is_active:
            active[customer].add(on)
    for customer, on in ask("select customer_id, ordered_on from core.fct_order where not is_test"):
        if on <= as_of:
            active[customer].add(on)
    orders = defaultdict(list)
    for customer, *order in ask(
        "select customer_id, ordered_at, ordered_on, channel_code, net_amount from core.fct_order"
        " where is_valid"
    ):
        orders[customer].append(tuple(order))
    facts = Facts(
        as_of=as_of,
        identified=identified,
        first_channel={c: channel for c, channel, *_ in customers},
        registered_on={
            c: on for c, _, _, on, is_known in customers if is_known and on and on <= as_of
        },
        events=events,
        active={c: days for c, days in active.items() if c in identified},
        orders={c: found for c, found in orders.items() if c in identified},
    )
    facts.purchases = {c: sorted({o[1] for o in found}) for c, found in facts.orders.items()}
    return facts


def people_by_day(facts: Facts) -> dict[tuple[date, str], tuple[int, int, int, int]]:
    """(dau, dau_all, wau, mau) of every (day, channel) on which one of them is not 0."""
    seen: dict[tuple[date, str], set[str]] = defaultdict(set)
    for customer, on, _, _, channel, _, _, is_active in facts.events:
        if is_active and customer != "-1":
            seen[on, channel].add(customer)
            seen[on, ALL].add(customer)
    channels = {channel for _, channel in seen}
    days = sorted({day for day, _ in seen})
    found = {}
    for channel in channels:
        for n in range((facts.as_of - days[0]).days + 1):
            day = days[0] + n * DAY

            def within(length: int, day: date = day, channel: str = channel) -> set[str]:
                return set().union(*(seen.get((day - k * DAY, channel), ()) for k in range(length)))

            today = seen.get((day, channel), set())
            found[day, channel] = (
                len(today & facts.identified),
                len(today),
                len(within(7) & facts.identified),
                len(within(28) & facts.identified),
            )
    return found


def session_seconds(facts: Facts) -> dict[tuple[date, str], list[float]]:
    """Seconds of every session by (day it began, channel)."""
    sessions: dict[str, list[tuple]] = defaultdict(list)
    for _, on, at, _, channel, session, engagement_ms, _ in facts.events:
        if session is not None:
            sessions[session].append((at, on, channel, engagement_ms))
    found = defaultdict(list)
    for events in sessions.values():
        start, end = min(events), max(events)
        given = [e[3] for e in events if e[3] is not None]
        seconds = sum(given) / 1000 if given else (end[0] - start[0]).total_seconds() // 1
        for channel in (start[2], ALL):
            found[start[1], channel].append(min(seconds, 4 * 3600))
    return found


def entries(facts: Facts) -> dict[str, dict[str, date]]:
    """Day of entry of every customer, by way in."""
    return {
        "registration": facts.registered_on,
        "first_purchase": {c: days[0] for c, days in facts.purchases.items()},
    }


def cohorts(facts: Facts) -> dict[tuple, tuple]:
    """(customers, active, buyers, orders, net sales) by (way in, cohort month, channel, age)."""
    found = {}
    for way, entered in entries(facts).items():
        members: dict[tuple[date, str], set[str]] = defaultdict(set)
        for customer, on in entered.items():
            for channel in (facts.first_channel[customer], ALL):
                members[month_of(on), channel].add(customer)
        for (cohort, channel), people in members.items():
            month = cohort
            while month <= facts.as_of:
                cell = None
                if month_end(month) <= facts.as_of:
                    active = {
                        c for c in people
                        if month == cohort or any(month_of(d) == month for d in facts.active.get(c, ()))
                    }  # fmt: skip
                    bought = [
                        (c, o) for c in people for o in facts.orders.get(c, ()) if month_of(o[1]) == month
                    ]  # fmt: skip
                    cell = (
                        len(active),
                        len({c for c, _ in bought}),
                        len(bought),
                        sum(o[3] or 0 for _, o in bought),
                    )
                found[way, cohort, channel, age(cohort, month)] = (len(people), cell)
                month = next_month(month)
    return found


def _share(hits: Iterable[bool]) -> tuple[int, int]:
    values = list(hits)
    return sum(values), len(values)


def cohort_metrics(facts: Facts) -> dict[tuple[date, str, str], tuple[int, int]]:
    """(numerator, denominator) by (month, channel, metric) of everything with a window, where it has closed."""
    found = {}
    for way, entered in entries(facts).items():
        members: dict[tuple[date, str], list[str]] = defaultdict(list)
        for customer, on in entered.items():
            for channel in (facts.first_channel[customer], ALL):
                members[month_of(on), channel].append(customer)
        for (month, channel), people in members.items():

            def closed(days: int, month: date = month) -> bool:
                return month_end(month) + days * DAY <= facts.as_of

            later = {
                c: {(d - entered[c]).days for d in facts.active.get(c, ()) if d > entered[c]}
                for c in people
            }
            first = {
                c: (facts.purchases[c][0] - entered[c]).days if c in facts.purchases else None
                for c in people
            }
            prefix = "" if way == "registration" else "buyer_"
            tests: dict[str, tuple[int, Callable[[int], bool]]] = {}
            for n in (1, 7, 30):
                tests[f"retention_d{n}"] = (n, lambda age, n=n: age == n)
                tests[f"retention_rolling_d{n}"] = (n, lambda age, n=n: age >= n)
            tests["retention_d1_7"] = (7, lambda age: age <= 7)
            tests["retention_d8_30"] = (30, lambda age: 8 <= age <= 30)
            for name, (days, test) in tests.items():
                if closed(days):
                    found[month, channel, prefix + name] = _share(
                        any(test(a) for a in later[c]) for c in people
                    )
            if way == "registration":
                new = [c for c in people if first[c] is None or first[c] >= 0]
                found[month, channel, "early_buyer_rate"] = (len(people) - len(new), len(people))
                for n in (1, 7, 30, 90):
                    if closed(n):
                        found[month, channel, f"first_purchase_conversion_{n}d"] = _share(
                            first[c] is not None and first[c] <= n for c in new
                        )
            else:
                for n in (30, 60, 90, 180, 365):
                    if closed(n):
                        found[month, channel, f"repurchase_rate_{n}d"] = _share(
                            len(facts.purchases[c]) > 1
                            and (facts.purchases[c][1] - facts.purchases[c][0]).days <= n
                            for c in people
                        )
    return found


def buyer_metrics(facts: Facts, months: Iterable[date]) -> dict[tuple[date, str, str], tuple]:
    """Period repurchase and frequency by (month, sales channel, metric)."""
    found = {}
    by_channel: dict[str, dict[str, list[tuple]]] = defaultdict(lambda: defaultdict(list))
    for customer, orders in facts.orders.items():
        for order in orders:
            for channel in (order[2], ALL):
                by_channel[channel][customer].append(order)
    for channel, buyers in by_channel.items():
        for month in months:
            until = min(month_end(month), facts.as_of)
            days = {
                c: {o[1] for o in orders if month_of(o[1]) == month} for c, orders in buyers.items()
            }
            year = {
                c: [o for o in orders if 0 <= (until - o[1]).days < 365]
                for c, orders in buyers.items()
            }
            people = [c for c, found_days in days.items() if found_days]
            found[month, channel, "repurchase_rate_period"] = (
                sum(len(days[c]) > 1 for c in people),
                len(people),
            )
            found[month, channel, "purchase_frequency"] = (
                sum(map(len, year.values())),
                sum(1 for orders in year.values() if orders),
            )
    return found


def funnel(
    facts: Facts,
    steps: list[tuple[str, int]],
    registered_at: dict[str, datetime],
    day_of: Callable[[datetime], date],
) -> dict[tuple[date, str], list[list[float]]]:
    """Seconds from step to step of those who came so far, by (month of entry, channel) and step."""
    done: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for customer, _, at, name, *_ in facts.events:
        done[customer][name].append(at)
    for customer, orders in facts.orders.items():
        done[customer]["order"] += [o[0] for o in orders]
    for customer, at in registered_at.items():
        done[customer]["registration"].append(at)
    found: dict[tuple[date, str], list[list[float]]] = {}
    for customer in facts.identified:
        entered = defaultdict(list)
        for at in done[customer][steps[0][0]]:
            entered[month_of(day_of(at))].append(at)
        for month, moments in entered.items():
            start = at = min(moments)
            reached = [0.0]
            for (previous, _), (name, days) in pairwise(steps):
                later = [
                    m for m in done[customer][name]
                    if (m > at if name == previous else m >= at)
                    and (day_of(m) - day_of(start)).days <= days
                ]  # fmt: skip
                if not later:
                    break
                reached.append((min(later) - at).total_seconds())
                at = min(later)
            for channel in (facts.first_channel[customer], ALL):
                cells = found.setdefault((month, channel), [[] for _ in steps])
                for cell, seconds in zip(cells, reached, strict=False):
                    cell.append(seconds)
    return found


def robust_z(values: list[float]) -> tuple[float, float] | None:
    """(median, distance that stands for one standard deviation) of what is normal."""
    if len(values) < 7:
        return None
    middle = median(values)
    distances = [abs(v - middle) for v in values]
    if median(distances):
        return middle, median(distances) / 0.6745
    return middle, sum(distances) / len(distances) / 0.7979
