"""The golden cases, from files to intervals: what holds before, on and after each edge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

DAY = timedelta(days=1)
FIRST = date(2025, 1, 1)


class Stages:
    """What the published intervals say about a case."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def customer(self, case: str) -> str:
        """Customer id of the account, or of the event, that is named after the case."""
        (found,) = self.connection.execute(
            "select distinct customer_id from core.bridge_record_customer"
            " where entity in ('account', 'event') and source_record_id = ?",
            [case],
        ).fetchall()
        return found[0]

    def on(self, case: str, model: str, day: date, columns: str = "stage_code") -> object:
        """The one row of a day; a single column comes without its tuple."""
        (found,) = self.connection.execute(
            f"select {columns} from marts.customer_lifecycle_intervals where customer_id = ?"
            " and model_code = ? and valid_from <= ? and (valid_to > ? or valid_to is null)",
            [self.customer(case), model, day, day],
        ).fetchall()
        return found[0] if len(found) == 1 else found

    def kinds(self, case: str, model: str) -> list[tuple]:
        """Transitions of a case in order: (kind, to, day since FIRST, cycle)."""
        rows = self.connection.execute(
            "select transition_kind, to_stage_code, occurred_on, cycle_number"
            " from marts.customer_lifecycle_transitions where customer_id = ? and model_code = ?"
            " order by sequence_number",
            [self.customer(case), model],
        ).fetchall()
        return [(kind, to, (on - FIRST).days, cycle) for kind, to, on, cycle in rows]


@pytest.fixture(scope="module")
def stages(golden_root: Path) -> Iterator[Stages]:
    with duckdb.connect(str(golden_root / "warehouse.duckdb"), read_only=True) as connection:
        yield Stages(connection)


def test_a_visitor_never_registers(stages: Stages) -> None:
    first = date(2026, 1, 1)
    assert stages.on("visitor", "value5", first) == "prospect"
    assert stages.on("visitor", "value5", date(2026, 6, 30)) == "prospect"
    assert stages.on("visitor", "maturity5", first + 179 * DAY) == "intro"
    assert stages.on("visitor", "maturity5", first + 180 * DAY, "clause_id") == "lost.2"


def test_registering_and_buying_in_the_same_minute_is_one_interval(stages: Stages) -> None:
    found = stages.on("same_minute", "value5", date(2026, 6, 30), "valid_from, clause_id, valid_to")
    assert found == (date(2026, 6, 1), "new.1", None)


@pytest.mark.parametrize(
    ("case", "model", "days", "stage"),
    [
        *[("one_order_food", "value5", n, "new") for n in (0, 59)],
        *[("one_order_food", "value5", n, "sleeping") for n in (60, 61)],
        *[("one_order_food", "maturity5", n, "intro") for n in (0, 59)],
        *[("one_order_food", "maturity5", n, "dormant") for n in (60, 61, 119)],
        ("one_order_food", "maturity5", 120, "lost"),
        ("one_order_ecommerce", "value5", 89, "new"),
        *[("one_order_ecommerce", "value5", n, "sleeping") for n in (90, 91, 179, 180)],
        ("one_order_ecommerce", "maturity5", 89, "intro"),
        *[("one_order_ecommerce", "maturity5", n, "dormant") for n in (90, 91, 179)],
        ("one_order_ecommerce", "maturity5", 180, "lost"),
    ],
)
def test_a_threshold_is_reached_on_its_day(
    stages: Stages, case: str, model: str, days: int, stage: str
) -> None:
    assert stages.on(case, model, FIRST + days * DAY) == stage


def test_a_refund_changes_its_own_day_on_and_nothing_before(stages: Stages) -> None:
    assert stages.on("refunded_on_day_10", "value5", FIRST + 9 * DAY) == "new"
    assert stages.on("refunded_on_day_10", "value5", FIRST + 10 * DAY) == "prospect"
    # The order was placed, so the day stays an active one, and silence counts from it.
    assert stages.on("refunded_on_day_10", "maturity5", FIRST + 179 * DAY) == "intro"
    assert stages.on("refunded_on_day_10", "maturity5", FIRST + 180 * DAY, "clause_id") == "lost.2"


def test_coming_back_starts_the_second_cycle(stages: Stages) -> None:
    assert stages.kinds("back_on_day_230", "maturity5")[:5] == [
        ("enter", "intro", 0, 1),
        ("downgrade", "dormant", 90, 1),
        ("downgrade", "lost", 180, 1),
        ("reactivate", "growth", 230, 2),
        ("downgrade", "dormant", 320, 2),
    ]
    assert stages.kinds("back_on_day_230", "value5")[:4] == [
        ("enter", "new", 0, 1),
        ("downgrade", "sleeping", 90, 1),
        ("reactivate", "existing", 230, 2),
        ("downgrade", "sleeping", 320, 2),
    ]


def test_high_value_and_silent_is_sleeping_with_the_flag_kept(stages: Stages) -> None:
    columns = "stage_code, was_high_value"
    # The place among buyers is taken at the month end and stays until the next one.
    days = [date(2025, 1, 30), date(2025, 1, 31), FIRST + 91 * DAY]
    assert [stages.on("rich_then_silent", "value5", day, columns) for day in days] == [
        ("existing", False),
        ("high_value", True),
        ("sleeping", True),
    ]
    found = stages.on("rich_then_silent", "maturity5", days[-1], columns)
    assert found == ("dormant", True)


def test_two_accounts_of_one_person_have_one_history(stages: Stages) -> None:
    assert stages.customer("merged_a") == stages.customer("merged_b")
    assert stages.kinds("merged_a", "value5")[:2] == [
        ("enter", "new", 0, 1),
        ("upgrade", "existing", 60, 1),
    ]


def test_referring_a_friend_does_not_buy(stages: Stages) -> None:
    assert stages.on("refers_first", "value5", FIRST + 19 * DAY, "clause_id") == "new.2"
    assert stages.on("refers_first", "value5", FIRST + 20 * DAY, "clause_id") == "new.1"


def test_a_fall_in_activity_is_dormant_without_silence(stages: Stages) -> None:
    """Eight active days in the first 28, then ever fewer, but never a silence of 90 days."""
    assert stages.on("activity_drop", "maturity5", FIRST + 26 * DAY, "clause_id") == "growth.2"
    # Day 53: 4 active days against 7 in the 28 days before. Day 54: 3 against 8.
    before = stages.on("activity_drop", "maturity5", FIRST + 53 * DAY, "clause_id")
    after = stages.on("activity_drop", "maturity5", FIRST + 54 * DAY, "clause_id")
    assert (before, after) == ("intro.1", "dormant.2")


def test_a_renewal_within_the_grace_days_loses_nobody(stages: Stages) -> None:
    stage = [
        stages.on("renews_after_3_days", "maturity5", FIRST + n * DAY, "clause_id")
        for n in (99, 101, 103, 199, 206, 207, 209, 210)
    ]
    assert stage == [stage[0]] * 5 + ["lost.1", "lost.1", stage[0]]
    # Paid for 365 days: 100 + 97 before day 210, so on day 210 + 168.
    assert stages.on("renews_after_3_days", "maturity5", FIRST + 377 * DAY) != "mature"
    assert stages.on("renews_after_3_days", "maturity5", FIRST + 378 * DAY) == "mature"


def test_another_business_type_starts_an_interval_and_no_stage(stages: Stages) -> None:
    columns = "business_type, stage_code, previous_stage_code"
    before = stages.on("changes_business", "value5", FIRST + 9 * DAY, columns)
    assert before == ("ecommerce", "new", None)
    changed = stages.on("changes_business", "value5", FIRST + 10 * DAY, columns)
    assert changed == ("restaurant", "existing", "new")
    assert stages.on("changes_business", "value5", FIRST + 54 * DAY) == "existing"
    assert stages.on("changes_business", "value5", FIRST + 55 * DAY) == "sleeping"


def test_midnight_is_that_of_the_business_time_zone(stages: Stages) -> None:
    before = stages.on("before_midnight", "value5", date(2025, 3, 2), "valid_from, valid_to")
    after = stages.on("after_midnight", "value5", date(2025, 3, 2), "valid_from, valid_to")
    assert before == (date(2025, 3, 1), date(2025, 3, 1) + 90 * DAY)
    assert after == (date(2025, 3, 2), date(2025, 3, 2) + 90 * DAY)


def test_a_test_account_has_no_stages(stages: Stages) -> None:
    found = stages.connection.execute(
        "select count(*) from marts.customer_lifecycle_intervals where customer_id = ?",
        [stages.customer("a_test")],
    ).fetchone()
    assert found == (0,)
