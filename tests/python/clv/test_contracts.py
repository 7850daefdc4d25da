"""What subscriptions say about who pays, until when, and what that is worth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from planted_orders import AS_OF, changes, prospects, shop, subscriptions

from orchestration.clv.config import ClvSettings
from orchestration.clv.pipeline import Predictions, predict

PLAIN = ClvSettings(use_learning=False)


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
