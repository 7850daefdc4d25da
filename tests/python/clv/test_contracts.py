"""What subscriptions say about who pays, until when, and what that is worth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from planted_orders import AS_OF, changes, prospects, shop, subscriptions

from orchestration.clv.config import ClvSettings
from orchestration.clv.cuts import Facts, day_number
from orchestration.clv.pipeline import Predictions, predict

PLAIN = ClvSettings(use_learning=False)


NOW = day_number(AS_OF)


def answers(found: Predictions) -> dict[str, dict]:
    return {row["customer_id"]: row for row in found.tables["prediction"].to_pylist()}


def test_subscribers_earn_margin_where_buyers_do() -> None:
    """Renewals have no cost of their own; beside a margin of 40 %, theirs is no net sales."""
    orders, people = shop(300, 500)
    rows = [(f"s{number}", "active", 40 * number, None, None, 50) for number in range(1, 15)]
    people = pa.concat_tables(
        [people, prospects([(who, "search", came, "contractual") for who, _, came, *_ in rows])]
    )
    found = predict(orders, people, AS_OF, PLAIN, subscriptions=subscriptions(rows))
    for who, *_ in rows:
        row = answers(found)[who]
        assert row["prediction_basis"] == "segment_prior"
        assert np.isclose(row["expected_margin_365"], 0.4 * row["expected_revenue_365"], rtol=1e-3)
        assert row["discounted_margin_365"] < row["expected_margin_365"]
    assert '"contribution"' in found.tables["model_run"]["config"][0].as_py()


def test_buyers_earn_margin_where_only_contracts_have_costs() -> None:
    orders, people = shop(300, 500)
    blank = pa.nulls(orders.num_rows, pa.decimal128(18, 4))
    renewals = [
        (f"s{number}", day, day, 1, 50, 10)
        for number in range(12)
        for day in range(0, 30 * number + 1, 30)
    ]
    found = predict(
        pa.concat_tables([orders.set_column(5, "margin_delta", blank), changes(renewals)]),
        pa.concat_tables(
            [people, prospects([(f"s{one}", "search", 400, "contractual") for one in range(12)])]
        ),
        AS_OF,
        PLAIN,
    )
    row = answers(found)["c00001"]
    assert np.isclose(row["expected_margin_365"], 0.2 * row["expected_revenue_365"])
    assert '"contribution"' in found.tables["model_run"]["config"][0].as_py()


def test_who_is_known_to_leave_does_not_renew() -> None:
    """The last payment was 20 days ago; of 14 more some go on paying and some left years ago."""
    known = {
        "ended": ("ended", 324, None, 10, 50, None, None),
        "ends": ("cancelled", 324, None, None, 50, -10, 5),
        "ends_later": ("active", 324, None, -70, 50, None, 5),
        "back": ("ended", 324, None, 100, 50, None, None),
        "paused": ("paused", 324, None, None, 50, -10, None),
        "pays": ("active", 324, None, None, 50, None, None),
    }
    rng = np.random.default_rng(1)
    others = [
        (f"s{one:03}", "ended", came, None, max(came - 30 * int(rng.geometric(0.15)), 0), 50)
        for one, came in enumerate(rng.integers(1, 700, 200))
    ]
    rows = [
        *((who, *row) for who, row in known.items()),
        ("back", "active", 20, None, None, 50),
        *others,
    ]
    people = prospects([(who, "search", 800, "contractual") for who in {row[0] for row in rows}])
    found = answers(predict(changes([]), people, AS_OF, PLAIN, subscriptions=subscriptions(rows)))
    assert {found[who]["model_name"] for who in known} == {"shifted_beta_geometric"}
    for who, alive in (("ended", 0), ("ends", 1)):
        row = found[who]
        assert (row["p_alive"], row["expected_orders_365"]) == (alive, 0)
        assert row["churn_probability"] == 1 and row["expected_next_order_on"] is None
    later = found["ends_later"]
    assert later["p_alive"] == later["churn_probability"] == 1
    assert 1 < later["expected_orders_365"] == later["expected_orders_90"] <= 3
    for who in ("back", "paused", "pays"):
        assert found[who]["p_alive"] == 1 and found[who]["expected_orders_365"] > 4, who


def test_an_end_is_known_when_it_is_said() -> None:
    rows = [
        ("a", "ended", 400, None, 50, 50, None, 80),
        ("b", "cancelled", 400, None, None, 50, 50, None),
        ("c", "ended", 400, None, 50, 50, None, 80),
        ("c", "active", 40, None, None, 50),
    ]
    people = prospects([(who, "search", 400, "contractual") for who in "abc"])
    facts = Facts(changes([]), people, AS_OF, subscriptions(rows))

    def ends_in(days_ago: int) -> list[int | None]:
        found = facts.cut(NOW - days_ago, contractual=True).ends_in.tolist()
        return [one if one < 10_000 else None for one in found]

    assert ends_in(90) == [None, None, None]
    assert ends_in(70) == [20, None, 20]
    assert ends_in(45) == [-5, -5, -5]
    assert ends_in(0) == [-50, -50, None]


def test_who_left_is_worth_nothing_without_a_model_too() -> None:
    rows = [(f"s{one}", "active", 40 * one, None, None, 50) for one in range(1, 15)]
    rows += [("left", "ended", 400, None, 10, 50), ("long ago", "ended", 900, None, 700, 50)]
    people = prospects([(who, "search", 900, "contractual") for who, *_ in rows])
    found = answers(predict(changes([]), people, AS_OF, PLAIN, subscriptions=subscriptions(rows)))
    for who, *_ in rows:
        gone = who in ("left", "long ago")
        assert found[who]["prediction_basis"] == "segment_prior"
        assert (found[who]["expected_revenue_365"] == 0) == gone, who
        assert (found[who]["churn_probability"] == 1) == gone, who


def payments(rows: list[tuple], orders: list[tuple] = ()) -> dict[str, tuple[int, int]]:
    """Who paid how often, and how many days ago the last time."""
    people = prospects(
        [(who, "search", 400, "contractual") for who in sorted({r[0] for r in rows})]
    )
    facts = Facts(changes(list(orders)), people, AS_OF, subscriptions(rows))
    cut = facts.cut(NOW, contractual=True)
    return {
        facts.ids[k].as_py(): found
        for k, *found in zip(cut.k, cut.n.tolist(), cut.since_last.tolist(), strict=True)
    }


def test_the_paused_keep_what_they_paid() -> None:
    rows = [
        ("a", "paused", 100, None, None, 50, 45, None),
        ("b", "paused", 100, None, None, 50),
        ("c", "ended", 100, None, None, 50),
        ("d", "trialing", 100, None, None, 50),
    ]
    assert payments(rows) == {"a": [2, 69], "b": [1, 100], "c": [1, 100]}


def test_a_cancelled_order_takes_no_contract_away() -> None:
    rows = [("a", "active", 100, None, None, 50), ("b", "active", 100, None, None, 50)]
    orders = [("a", 90, 90, 1, 9, 3), ("a", 90, 85, -1, -9, -3), ("b", 90, 90, 1, 9, 3)]
    assert payments(rows, orders) == {"a": [4, 8], "b": [1, 90]}


def test_months_are_counted_from_the_first_payment() -> None:
    """From 31 January (150 days before 30 June) on the last days of months, not on the 28th."""
    rows = [("a", "active", 150, None, None, 50), ("b", "ended", 150, None, 90, 50)]
    assert payments(rows) == {"a": [6, 0], "b": [3, 91]}
