"""Made-up customers around the edges: the day before, the day, and the day after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest

from .models import TagModels

DAY = timedelta(days=1)
FIRST = date(2025, 1, 1)
AS_OF = date(2026, 6, 30)
NEVER = None

# Customer: business type of the orders, then the orders as (day ordered, day given back in full).
BUYERS = {
    "ecommerce": ("ecommerce", [(0, NEVER)]),
    "food": ("food", [(0, NEVER)]),
    "luxury": ("luxury", [(0, NEVER)]),
    "med_aesthetics": ("med_aesthetics", [(0, NEVER)]),
    "given_back": ("ecommerce", [(0, NEVER), (30, 40)]),
    "all_given_back": ("ecommerce", [(0, 70)]),
    "back_again": ("ecommerce", [(0, NEVER), (100, NEVER)]),
}
VISITORS = {
    "never_bought": [0, 1, 200],
    "once": [0],
    "low": [0],
    "mid": [0, 1, 2, 3],
    "high": list(range(8)),
}

# Customer, day from which an account of theirs is so, day from which it is no more, and the tags that it carries.
STATED = [
    ("once", FIRST + 10 * DAY, FIRST + 20 * DAY, "press|会员日"),
    ("once", FIRST + 20 * DAY, FIRST + 40 * DAY, "会员日"),
    ("once", FIRST + 40 * DAY, NEVER, "press"),
    ("low", FIRST - 10 * DAY, NEVER, "会员日"),
    ("mid", FIRST - 10 * DAY, FIRST - DAY, "会员日"),
    ("anonymous", FIRST, NEVER, "会员日"),
]


def _values(rows: list[tuple]) -> str:
    def literal(value: object) -> str:
        if value is None:
            return "null"
        if isinstance(value, date):
            return f"date '{value}'"
        return str(value).lower() if isinstance(value, bool) else repr(value)

    return ", ".join(f"({', '.join(map(literal, row))})" for row in rows)


@pytest.fixture(scope="module")
def edges(tag_models: TagModels) -> Iterator[duckdb.DuckDBPyConnection]:
    orders = [
        (f"o:{who}{n}", who, FIRST + on * DAY, FIRST + back * DAY if back else None, business_type)
        for who, (business_type, placed) in BUYERS.items()
        for n, (on, back) in enumerate(placed)
    ]
    active = {(who, on) for _, who, on, _, _ in orders}
    active |= {(who, FIRST + n * DAY) for who, days in VISITORS.items() for n in days}
    people = [(who, False, False, False, FIRST) for who in (*BUYERS, *VISITORS)]
    people.append(("anonymous", False, True, False, FIRST))
    changed = {
        "int_core__as_of": f"select date '{AS_OF}' as as_of, true as is_given",
        "dim_date": "from built.core.dim_date",
        "dim_customer": "select * from (values " + _values(people) + ") as t"
        "(customer_id, is_unknown, is_anonymous, is_test, first_touch_on)",
        "fct_order": "select order_key, customer_id, ordered_on, ordered_on::timestamp as ordered_at,"
        " ordered_on as valid_from_on, valid_to_on, business_type, 100 as paid_amount, false as is_test,"
        " false as is_gift, valid_to_on is null as is_valid from (values " + _values(orders) + ") as t"
        "(order_key, customer_id, ordered_on, valid_to_on, business_type)",
        "int_core__account_states": "select customer_id, from_on::timestamp as valid_from, to_on::timestamp as"
        " valid_to, tags as source_tags, false as is_test from (values " + _values(STATED) + ") as t"
        "(customer_id, from_on, to_on, tags)",
        "fct_customer_day": "select *, true as is_active from (values "
        + _values([*active, ("anonymous", FIRST)])
        + ") as t(customer_id, day_on)",
    }  # fmt: skip
    with tag_models.build(changed, empty=True) as connection:
        yield connection


def _on(edges: duckdb.DuckDBPyConnection, who: str, tag: str, day: int) -> str | None:
    found = edges.execute(
        "select tag_value from marts.customer_tag where customer_id = $who and tag_code = $tag"
        " and valid_from <= $day and (valid_to is null or valid_to > $day)",
        {"who": who, "tag": tag, "day": FIRST + day * DAY},
    ).fetchall()
    return found[0][0] if found else None


@pytest.mark.parametrize(
    ("who", "tag_days"), [("ecommerce", 60), ("food", 45), ("luxury", 180), ("med_aesthetics", 90)]
)
def test_no_purchase_begins_on_the_day_of_the_business_type(
    edges: duckdb.DuckDBPyConnection, who: str, tag_days: int
) -> None:
    days = (0, tag_days - 1, tag_days, tag_days + 1)
    assert [_on(edges, who, "no_purchase_60d", n) for n in days] == [None, None, "true", "true"]


def test_an_order_that_was_given_back_does_not_count(edges: duckdb.DuckDBPyConnection) -> None:
    # From day 40 on the order of day 0 is the last one again.
    days = (39, 40, 59, 60, 61)
    found = [_on(edges, "given_back", "no_purchase_60d", n) for n in days]
    assert found == [None, None, None, "true", "true"]
    # Nobody is a buyer without a valid order: the tag of day 60 ends on day 70.
    found = [_on(edges, "all_given_back", "no_purchase_60d", n) for n in (60, 69, 70, 300)]
    assert found == ["true", "true", None, None]


def test_an_order_ends_the_silence_and_the_next_one_starts(
    edges: duckdb.DuckDBPyConnection,
) -> None:
    found = edges.execute(
        "select valid_from, valid_to from marts.customer_tag"
        " where customer_id = 'back_again' and tag_code = 'no_purchase_60d' order by all"
    ).fetchall()
    assert found == [(FIRST + 60 * DAY, FIRST + 100 * DAY), (FIRST + 160 * DAY, None)]


def test_who_never_bought_is_not_missed(edges: duckdb.DuckDBPyConnection) -> None:
    assert {_on(edges, "never_bought", "no_purchase_60d", n) for n in range(0, 500, 20)} == {None}


@pytest.mark.parametrize(
    ("who", "days"),
    [
        ("low", {0: "low", 27: "low", 28: "none"}),
        ("mid", {2: "low", 3: "mid", 27: "mid", 28: "low", 30: "low", 31: "none"}),
        ("high", {6: "mid", 7: "high", 27: "high", 28: "mid", 31: "mid", 32: "low", 34: "low", 35: "none"}),
    ],
)  # fmt: skip
def test_activity_level_on_the_days_around_the_window(
    edges: duckdb.DuckDBPyConnection, who: str, days: dict[int, str]
) -> None:
    assert {n: _on(edges, who, "activity_level", n) for n in days} == days


def test_relation_tiers(edges: duckdb.DuckDBPyConnection) -> None:
    assert [_on(edges, "never_bought", "relation_tier", n) for n in (0, 1)] == ["just_met", "used"]
    assert _on(edges, "once", "relation_tier", 400) == "just_met"
    assert [_on(edges, "back_again", "relation_tier", n) for n in (0, 99, 100)] == [
        "bought_once", "bought_once", "regular",
    ]  # fmt: skip
    # Without an order the customer is no buyer, and was active on one day only.
    assert [_on(edges, "all_given_back", "relation_tier", n) for n in (69, 70)] == [
        "bought_once", "just_met",
    ]  # fmt: skip


def test_risk_begins_with_the_churn_warning(edges: duckdb.DuckDBPyConnection) -> None:
    # warn_days is 60 for food and 90 for ecommerce; one order is not among the best of equal ones.
    assert [_on(edges, "food", "value_tier", n) for n in (59, 60, 61)] == [None, "risk", "risk"]
    assert [_on(edges, "ecommerce", "value_tier", n) for n in (89, 90, 91)] == [
        None,
        "risk",
        "risk",
    ]
    assert [_on(edges, "high", "value_tier", n) for n in (6, 7, 27, 28)] == [
        None,
        "potential",
        "potential",
        None,
    ]


def test_a_tag_of_the_source_holds_while_an_account_carries_it(
    edges: duckdb.DuckDBPyConnection,
) -> None:
    found = edges.execute(
        "select customer_id, valid_from, valid_to from marts.customer_tag"
        " where tag_code = 'member_day' order by all"
    ).fetchall()
    assert found == [("low", FIRST, None), ("once", FIRST + 10 * DAY, FIRST + 40 * DAY)]


def test_visitors_without_a_name_have_no_tags(edges: duckdb.DuckDBPyConnection) -> None:
    who = edges.execute("select distinct customer_id from marts.customer_tag").fetchall()
    assert {row[0] for row in who} == {*BUYERS, *VISITORS}
