"""The stage marts of the demo against the slow way of counting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from . import oracle
from .oracle import DAY, WINDOW, Ask, Stages, month_of


@pytest.fixture(scope="module")
def ask(demo_root: Path) -> Iterator[Ask]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield oracle.asker(connection)


@pytest.fixture(scope="module")
def stages(ask: Ask) -> Stages:
    return oracle.read(ask)


def _share(part: int, whole: int) -> Decimal | None:
    return round(Decimal(part) / whole, 6) if whole else None


def _close(found: Decimal | None, expected: Decimal | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return abs(found - expected) <= Decimal("0.000002")


def _month_end(month: date) -> date:
    return month_of(month + 31 * DAY) - DAY


def test_campaigns_move_whom_plain_python_sees_move(ask: Ask, stages: Stages) -> None:
    expected = oracle.upgrades(ask, stages)
    rows = ask(
        "select model_code, from_stage_code, to_stage_code, campaign_key, month_on, attribution,"
        " eligible_count, measured_count, moved_count, holdout_measured_count, holdout_moved_count,"
        " upgrade_rate, holdout_rate, uplift_rate, is_complete from marts.stage_upgrade_monthly"
    )
    assert len(rows) == len(expected)
    with_holdout = {
        key[3:] for key in expected if any(c[3] for k, c in expected.items() if k[3:] == key[3:])
    }
    for *key, eligible, measured, moved, held, held_moved, rate, held_rate, uplift, over in rows:
        cell = expected[tuple(key)]
        assert [eligible, measured, moved or 0, held or 0, held_moved or 0] == cell, key
        assert (moved is None) == (measured == 0)
        assert held is not None or tuple(key[3:]) not in with_holdout
        assert _close(rate, _share(cell[2], cell[1]))
        assert _close(held_rate, _share(cell[4], cell[3]))
        assert _close(uplift, None if None in (rate, held_rate) else rate - held_rate)
        assert over == (_month_end(key[4]) + WINDOW <= stages.as_of)
    assert sum(cell[2] for cell in expected.values()) > 100
    assert sum(cell[3] for cell in expected.values()) > 100


def test_sales_by_stage_add_up_to_sales(ask: Ask, stages: Stages) -> None:
    expected = defaultdict(lambda: [0, set(), Decimal(0)])
    for customer, on, net in ask(
        "select customer_id, ordered_on, net_amount from core.fct_order where is_valid"
    ):
        for model in stages.ranks:
            before = stages.on(customer, model, on - DAY)
            cell = expected[model, before and before[0], month_of(on)]
            cell[0] += 1
            cell[1] |= {customer} & stages.identified
            cell[2] += net or 0
    found = {
        tuple(key): values
        for *key, orders, buyers, net in ask(
            "select model_code, stage_code, month_on, order_count, buyer_count, net_sales_amount"
            " from marts.stage_value_monthly"
        )
        for values in [(orders, buyers, net)]
    }
    assert found == {k: (n, len(buyers), net) for k, (n, buyers, net) in expected.items()}
    ((orders, net, profit),) = ask(
        "select sum(order_count), sum(net_sales_by_order_day_amount), sum(gross_profit_amount)"
        " from marts.sales_monthly"
    )
    totals = ask(
        "select sum(order_count), sum(net_sales_amount), sum(gross_profit_amount)"
        " from marts.stage_value_monthly group by model_code"
    )
    assert totals == [(orders, net, profit)] * 5
    assert net > 0


def test_signals_of_the_lost_and_of_the_others(ask: Ask, stages: Stages) -> None:
    days = [day for (day,) in ask("select as_of from marts.int_calendar__stored_days")]
    expected = oracle.reasons(ask, stages, days)
    known_from = dict(
        ask(
            "select 'last_nps_low', min(feedback_on) from core.fct_feedback where feedback_kind = 'nps'"
            " union all select 'ticket_open', min(feedback_on) from core.fct_feedback"
            " where feedback_kind in ('ticket', 'complaint')"
        )
    )
    rows = ask(
        "select model_code, business_type, month_on, signal_code, signal_value, lost_count,"
        " lost_with_signal_count, kept_count, kept_with_signal_count, lift, measured_on"
        " from marts.churn_reason_monthly"
    )
    assert {tuple(row[:5]) for row in rows} == set(expected)
    for *key, lost, lost_with, kept, kept_with, lift, measured_on in rows:
        if known_from.get(key[3], measured_on) > measured_on:
            assert (lost_with, kept_with, lift) == (None, None, None)
            continue
        cell = expected[tuple(key)]
        assert [lost, lost_with, kept, kept_with] == cell, key
        by = cell[0] * cell[3]
        assert (lift is None) == (by == 0)
        assert lift is None or float(lift) == pytest.approx(cell[1] * cell[2] / by, abs=1e-5)
    told = {key[3] for key, cell in expected.items() if cell[1] and cell[3]}
    assert {"last_order_refunded", "last_channel", "price_risen"} <= told


def test_the_snapshot_says_what_the_facts_of_today_say(ask: Ask, stages: Stages) -> None:
    days = defaultdict(list)
    for customer, on in ask("select customer_id, ordered_on from core.fct_order where is_valid"):
        days[customer].append(on)
    lost_since = {}
    for customer in {c for c, _ in stages.spells}:
        day = stages.as_of
        while (stages.on(customer, "maturity5", day) or ("",))[0] == "lost":
            lost_since[customer] = day
            day -= DAY
    tags, segments = defaultdict(dict), defaultdict(set)
    for customer, code, value, start, end in ask(
        "select customer_id, tag_code, tag_value, valid_from, valid_to from marts.customer_tag"
    ):
        if start <= stages.as_of and (end is None or end > stages.as_of):
            tags[customer][code] = value
    rows = ask(
        "select customer_id, growth5_stage, maturity5_stage, value5_stage, classic5_stage,"
        " relation5_stage, first_order_on, last_order_on, lost_on, lifespan_observed_days,"
        " lifespan_to_loss_days, activity_level, value_tier, segment_code, segment_customer_count,"
        " order_count from marts.customer_snapshot"
    )
    for customer, *found, segment, size, orders in rows:
        models = ("growth5", "maturity5", "value5", "classic5", "relation5")
        now = [stages.on(customer, model, stages.as_of) for model in models]
        own = sorted(days[customer]) if customer in stages.identified else []
        first, last, lost = (own or [None])[0], (own or [None])[-1], lost_since.get(customer)
        assert found == [
            *(stage and stage[0] for stage in now),
            first,
            last,
            lost,
            (last - first).days if own else None,
            (lost - first).days if own and lost else None,
            tags[customer].get("activity_level"),
            tags[customer].get("value_tier"),
        ], customer
        assert orders == (len(own) if customer in stages.identified else None)
        if segment is not None:
            assert segment == f"{found[10]}.{found[11] or 'none'}.{found[1]}"
            segments[segment, size].add(customer)
    assert all(len(members) == size for (_, size), members in segments.items())
    assert len(segments) > 10
    assert {c for c, *_ in rows} == stages.identified | {c for c, _ in stages.spells}
