"""Bridge, segments and retained months of the demo, against customer_clv in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

FACTORS = ("customers", "lifespan", "frequency", "order_value", "margin")


def _records(warehouse_rows, sql: str) -> list[dict]:
    names, rows = warehouse_rows(sql)
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_the_bridge_is_the_decomposition_of_what_customers_are_worth(warehouse_rows) -> None:
    """The logarithmic mean of the values times the logarithm of each factor's growth."""
    totals: dict = defaultdict(lambda: [0, 0.0, 0, Decimal(0), Decimal(0)])
    for row in _records(warehouse_rows, "from marts.customer_clv where order_count > 0"):
        days = max((row["as_of"] - row["first_order_on"]).days, 30)
        total = totals[row["as_of"]]
        total[0] += 1
        total[1] += days / 365.25
        total[2] += row["order_count"]
        total[3] += row["net_sales_amount"]
        total[4] += row["gross_profit_lifetime"] or 0
    bridge = _records(warehouse_rows, "from marts.clv_bridge_monthly order by as_of")
    assert len(bridge) == 12
    for row in bridge:
        assert sum(row[f"{factor}_amount"] for factor in FACTORS) == row["change_amount"]
        assert row["method"] == "lmdi"
        before, now = totals[row["previous_on"]], totals[row["as_of"]]
        assert (row["previous_value_amount"], row["value_amount"]) == (before[4], now[4])
        values = float(before[4]), float(now[4])
        weight = (values[1] - values[0]) / math.log(values[1] / values[0])
        growth = [math.log(float(b) / float(a)) for a, b in zip(before, now, strict=True)]
        expected = [growth[0], *(b - a for a, b in pairwise(growth))]
        for factor, part in zip(FACTORS, expected, strict=True):
            assert abs(float(row[f"{factor}_amount"]) - weight * part) < 0.01, (row, factor)


def test_segments_of_a_type_hold_every_buyer_once(warehouse_rows) -> None:
    buyers = _records(warehouse_rows, """
        select * from marts.customer_clv where order_count > 0 and as_of = (select as_of from core.int_core__as_of)
    """)  # fmt: skip
    rows = _records(warehouse_rows, "from marts.clv_segment")
    shown, hidden = defaultdict(int), defaultdict(int)
    for row in rows:
        if row["is_suppressed"]:
            hidden[row["segment_type"]] += 1
            assert {row[name] for name in row if "amount" in name or "count" in name} == {None}
        else:
            shown[row["segment_type"]] += row["customer_count"]
            assert row["customer_count"] >= 30
    # The total tells nothing about a segment that is hidden.
    assert shown["all_buyers"] == len(buyers)
    assert set(hidden.values()) - {0} and 1 not in hidden.values()
    assert all(shown[name] < len(buyers) if hidden[name] else shown[name] == len(buyers) for name in shown)  # fmt: skip
    stages: dict = defaultdict(list)
    for row in buyers:
        stages[row["stage_code"]].append(float(row["gross_profit_lifetime"] or "nan"))
    for row in rows:
        if row["segment_type"] == "stage" and not row["is_suppressed"]:
            known = [value for value in stages[row["segment_value"]] if not math.isnan(value)]
            assert abs(float(row["mean_margin_amount"]) - sum(known) / len(known)) < 0.001


def test_retained_months_hold_all_profit_and_no_lost_day(warehouse_rows) -> None:
    (found,) = _records(warehouse_rows, """
        select sum(gross_profit_lifetime) as profit, sum(customer_count) as customers, sum(retained_months) as months
        from marts.retention_value_monthly
    """)  # fmt: skip
    (expected,) = _records(warehouse_rows, """
        select sum(gross_profit_lifetime) as profit, count(*) as customers from marts.customer_clv
        where order_count > 0 and as_of = (select as_of from core.int_core__as_of)
    """)  # fmt: skip
    assert (found["profit"], found["customers"]) == (expected["profit"], expected["customers"])
    # Day by day, where the months are summed interval by interval.
    (days,) = _records(warehouse_rows, """
        select count(*) as days from marts.customer_clv as clv
        join core.dim_date as dates on dates.date_on >= clv.first_order_on and dates.date_on < clv.as_of
        join marts.customer_lifecycle_intervals as i
            on i.customer_id = clv.customer_id and i.model_code = 'maturity5' and not i.is_lost
            and i.valid_from <= dates.date_on and (i.valid_to is null or i.valid_to > dates.date_on)
        where clv.order_count > 0 and clv.as_of = (select as_of from core.int_core__as_of)
    """)  # fmt: skip
    assert (
        0 <= float(found["months"]) * 365.25 / 12 - days["days"] <= found["customers"] * 0.01 + 20
    )
