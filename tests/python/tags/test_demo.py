"""Tags and affinities of the demo against plain Python that looks at the facts of every single day."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import duckdb
import pytest
from checkout import PROJECT

DAY = timedelta(days=1)
# The demo names no business type, so the profile of ecommerce holds.
ACTIVE_MIN, HABIT_MIN, TAG_DAYS, VALUE_HIGH = 4, 8, 60, 0.8


class Demo:
    """People of the demo who have tags, with what they did, as core states it."""

    def __init__(self, built: duckdb.DuckDBPyConnection) -> None:
        self.built = built
        (self.as_of,) = built.execute("select as_of from core.int_core__as_of").fetchone()
        self.first_touch: dict[str, date] = dict(
            built.execute(
                "select customer_id, first_touch_on from core.dim_customer"
                " where not is_unknown and not is_anonymous and not is_test and first_touch_on <= ?",
                [self.as_of],
            ).fetchall()
        )
        self.active: dict[str, set[date]] = defaultdict(set)
        for customer_id, day in built.execute(
            "select customer_id, event_on from core.fct_event where not is_bot and not is_test"
            " and event_name not in ('impression_owned', 'unfollow')"
            " union select customer_id, ordered_on from core.fct_order where not is_test"
        ).fetchall():
            self.active[customer_id].add(day)
        self.orders: dict[str, list[tuple]] = defaultdict(list)
        for customer_id, *order in built.execute(
            "select customer_id, ordered_on, valid_from_on, valid_to_on from core.fct_order"
            " where valid_from_on is not null"
        ).fetchall():
            self.orders[customer_id].append(tuple(order))

    def tag(self, tag_code: str) -> dict[tuple[str, date], str]:
        """Value on every day on which a customer has the tag; a second value on a day would fail."""
        found: dict[tuple[str, date], str] = {}
        for customer_id, start, end, value in self.built.execute(
            "select customer_id, valid_from, coalesce(valid_to, ?), tag_value"
            " from marts.customer_tag where tag_code = ?",
            [self.as_of + DAY, tag_code],
        ).fetchall():
            for n in range((end - start).days):
                key = customer_id, start + DAY * n
                assert key not in found
                found[key] = value
        return found

    def days(self, customer_id: str) -> list[date]:
        first = self.first_touch[customer_id]
        return [first + DAY * n for n in range((self.as_of - first).days + 1)]

    def valid_orders(self, customer_id: str, day: date) -> list[date]:
        """Days of the orders that are valid on a day."""
        return [
            on
            for on, start, end in self.orders[customer_id]
            if start <= day and (end is None or day < end)
        ]

    def warned(self) -> set[tuple[str, date]]:
        """Days on which a customer's churn warning is open."""
        alerts = self.built.execute(
            "select customer_id, opened_on, coalesce(closed_on, ?) from marts.customer_alert"
            " where alert_code = 'churn_warning'",
            [self.as_of + DAY],
        ).fetchall()
        return {(who, on + DAY * n) for who, on, end in alerts for n in range((end - on).days)}

    def stage(self, model_code: str) -> dict[tuple[str, date], str]:
        found = {}
        for customer_id, start, end, stage in self.built.execute(
            "select customer_id, valid_from, coalesce(valid_to, ?), stage_code"
            " from marts.customer_lifecycle_intervals where model_code = ?",
            [self.as_of + DAY, model_code],
        ).fetchall():
            found.update({(customer_id, start + DAY * n): stage for n in range((end - start).days)})
        return found


@pytest.fixture(scope="module")
def demo(built: duckdb.DuckDBPyConnection) -> Demo:
    return Demo(built)


def _active_28(demo: Demo, customer_id: str, day: date) -> int:
    return sum(0 <= (day - on).days < 28 for on in demo.active[customer_id])


def _differing(expected: dict, found: dict) -> list:
    return [
        (key, expected.get(key), found.get(key))
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ][:3]


def test_activity_level_of_every_day(demo: Demo) -> None:
    expected = {}
    for customer_id in demo.first_touch:
        active = sorted(demo.active[customer_id])
        for day in demo.days(customer_id):
            n = sum(day - 27 * DAY <= on <= day for on in active)
            expected[customer_id, day] = (
                "high" if n >= HABIT_MIN else "mid" if n >= ACTIVE_MIN else "low" if n else "none"
            )
    assert len(expected) > 200_000
    assert set(expected.values()) == {"high", "mid", "low", "none"}
    assert _differing(expected, demo.tag("activity_level")) == []


def test_no_purchase_of_every_day(demo: Demo) -> None:
    expected = {}
    for customer_id in demo.orders.keys() & demo.first_touch.keys():
        for day in demo.days(customer_id):
            orders = demo.valid_orders(customer_id, day)
            if orders and (day - max(orders)).days >= TAG_DAYS:
                expected[customer_id, day] = "true"
    assert len(expected) > 50_000
    assert _differing(expected, demo.tag("no_purchase_60d")) == []


def test_relation_tier_of_every_day(demo: Demo) -> None:
    stages = demo.stage("relation5")
    expected = {}
    for customer_id in demo.first_touch:
        for day in demo.days(customer_id):
            orders = len(demo.valid_orders(customer_id, day))
            if stages[customer_id, day] == "confidant":
                tier = "fan"
            elif orders:
                tier = "bought_once" if orders == 1 else "regular"
            else:
                tier = (
                    "used" if sum(on <= day for on in demo.active[customer_id]) >= 2 else "just_met"
                )
            expected[customer_id, day] = tier
    assert set(expected.values()) == {"fan", "bought_once", "regular", "used", "just_met"}
    assert _differing(expected, demo.tag("relation_tier")) == []


def _net_sales(demo: Demo, day: date) -> dict[str, Decimal]:
    """Lifetime net sales on a day of everybody with a valid order then, test persons included as none."""
    return dict(
        demo.built.execute(
            """
            with orders as (
                select order_key, customer_id, paid_amount from core.fct_order
                where valid_from_on <= $day and (valid_to_on is null or valid_to_on > $day)
            ),
            changes as (
                select customer_id, coalesce(paid_amount, 0) as amount from orders
                union all
                select orders.customer_id, -coalesce(refund_amount, 0) from core.fct_refund
                inner join orders using (order_key)
                where is_completed and not fct_refund.is_test and refunded_on <= $day and paid_amount is not null
                union all
                select customer_id, -coalesce(refund_amount, 0) from core.fct_refund
                where order_key is null and is_completed and not is_test and refunded_on <= $day
            )
            select customer_id, sum(amount) from changes
            where customer_id in (select customer_id from orders) and customer_id <> '-1' group by all
            """,
            {"day": day},
        ).fetchall()
    )


def test_value_tier_and_candidates_at_days_of_three_months(demo: Demo) -> None:
    warned = demo.warned()
    tiers, candidates, members = map(demo.tag, ("value_tier", "vip_candidate", "vip_member"))
    for scored_on, days in (
        (date(2025, 6, 30), [date(2025, 6, 30), date(2025, 7, 15), date(2025, 7, 30)]),
        (date(2026, 2, 28), [date(2026, 3, 1), date(2026, 3, 30)]),
        (date(2026, 6, 30), [date(2026, 6, 30)]),
    ):
        sales = _net_sales(demo, scored_on)
        places = sorted(sales.values())
        expected, expected_candidates = {}, {}
        for day in days:
            for customer_id, first in demo.first_touch.items():
                if first > day:
                    continue
                lower = (
                    sum(amount < sales[customer_id] for amount in places)
                    if customer_id in sales
                    else 0
                )
                is_high = customer_id in sales and lower / (len(places) - 1) >= VALUE_HIGH
                is_risky = (customer_id, day) in warned
                tier = {(True, True): "save", (True, False): "high", (False, True): "risk"}.get(
                    (is_high, is_risky)
                )
                if tier is None and _active_28(demo, customer_id, day) >= HABIT_MIN:
                    tier = "potential"
                if tier:
                    expected[customer_id, day] = tier
                if tier == "high" and (customer_id, day) not in members:
                    expected_candidates[customer_id, day] = "true"
        for wanted, tag in ((expected, tiers), (expected_candidates, candidates)):
            assert wanted
            assert _differing(wanted, {key: v for key, v in tag.items() if key[1] in days}) == []


def _weights() -> tuple[dict[str, float], int]:
    with (PROJECT / "seeds" / "affinity_weight.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {r["event_name"]: float(r["weight"]) for r in rows}, int(rows[0]["half_life_days"])


def _signals(demo: Demo) -> list[tuple[str, str, date, date, date, float]]:
    """Signals as (customer, category, happened on, counts from, counts until, weight)."""
    weights, _ = _weights()
    versions = defaultdict(list)
    for key, start, first, second in demo.built.execute(
        "select product_key, valid_from, category_l1, category_l2 from core.dim_product order by all"
    ).fetchall():
        versions[key].append((start, second or first))

    def category(product: str, moment: object) -> str | None:
        known = versions.get(product)
        return (
            ([c for start, c in known if start <= moment] or [known[0][1]])[-1] if known else None
        )

    never = date.max
    signals = [
        (who, category(product, at), on, on, never, weights[name])
        for who, name, product, at, on in demo.built.execute(
            "select customer_id, event_name, product_key, event_at, event_on from core.fct_event"
            " where not is_bot and not is_test"
        ).fetchall()
        if name in weights
    ]
    returns = defaultdict(list)
    for order, line, on, quantity in demo.built.execute(
        "select order_key, source_system || ':' || order_line_ref, refunded_on, quantity"
        " from core.fct_refund where is_completed and refund_kind in ('refund', 'return')"
        " and order_line_ref is not null"
    ).fetchall():
        returns[order, line].append((on, quantity))
    lines = defaultdict(list)
    for order, line, product, quantity in demo.built.execute(
        "select order_key, order_line_key, product_key, quantity from core.fct_order_line"
    ).fetchall():
        gone = [on for on, n in returns[order, line] if n is None or n >= quantity]
        lines[order].append((product, min(gone, default=never)))
    for order, who, at, on, start, end, is_gift in demo.built.execute(
        "select order_key, customer_id, ordered_at, ordered_on, valid_from_on, valid_to_on, is_gift"
        " from core.fct_order where valid_from_on is not null"
    ).fetchall():
        if is_gift:
            continue
        gone_by_category = defaultdict(list)
        for product, gone in lines[order]:
            gone_by_category[category(product, at)].append(gone)
        for name, gone in gone_by_category.items():
            signals.append(
                (who, name, on, start, min(end or never, max(gone)), weights["purchase"])
            )
    return [s for s in signals if s[1] is not None and s[0] in demo.first_touch]


@pytest.mark.parametrize("day", [date(2025, 1, 31), date(2025, 12, 5), date(2026, 6, 30)])
def test_scores_of_a_day_are_the_sum_of_faded_signals(demo: Demo, day: date) -> None:
    _, half_life = _weights()
    expected: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for who, category, happened, start, end, weight in _signals(demo):
        if start <= day < end:
            expected[who][category] += weight * 0.5 ** ((day - happened).days / half_life)
    found: dict[str, dict[str, tuple]] = defaultdict(dict)
    for who, category, start, score, rate, rank in demo.built.execute(
        "select customer_id, category, valid_from, affinity_score, affinity_rate, affinity_rank"
        " from marts.customer_affinity where valid_from <= $day and (valid_to is null or valid_to > $day)",
        {"day": day},
    ).fetchall():
        faded = float(score) * 0.5 ** ((day - start).days / half_life)
        found[who][category] = (faded, float(rate), rank)
    assert len(expected) > 100
    assert found.keys() == expected.keys()
    for who, scores in expected.items():
        assert found[who].keys() == scores.keys()
        total = sum(scores.values())
        for category, score in scores.items():
            assert found[who][category][:2] == pytest.approx((score, score / total), abs=2e-6)
        by_rank = sorted(scores, key=lambda c: found[who][c][2])
        assert [found[who][c][2] for c in by_rank] == list(range(1, len(scores) + 1))
        assert all(scores[a] >= scores[b] - 1e-9 for a, b in pairwise(by_rank))


def test_leading_categories_are_tags_for_180_days(demo: Demo) -> None:
    leaders: dict[tuple[str, int, date], str] = {}
    told: dict[str, list[date]] = defaultdict(list)
    for who, category, start, end, rank in demo.built.execute(
        "select customer_id, category, valid_from, valid_to, affinity_rank from marts.customer_affinity"
    ).fetchall():
        told[who] += [start] + ([end] if end else [])
        for n in range(((end or demo.as_of + DAY) - start).days):
            leaders[who, rank, start + DAY * n] = category
    for rank in (1, 2, 3):
        expected = {
            (who, day): category
            for (who, place, day), category in leaders.items()
            if place == rank and (day - max(on for on in told[who] if on <= day)).days < 180
        }
        assert len(expected) > 20_000
        assert _differing(expected, demo.tag(f"affinity_{rank}")) == []
