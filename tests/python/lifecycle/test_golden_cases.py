"""The golden cases, from files to intervals: what holds before, on and after each edge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from .evaluator import MODELS
from .warehouse import INTERVALS

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

    def on(
        self, case: str, model: str, day: date, columns: str = "stage_code", mode: str = "fixed"
    ) -> object:
        """The one row of a day; a single column comes without its tuple."""
        (found,) = self.connection.execute(
            f"select {columns} from marts.{INTERVALS[mode]} where customer_id = ?"
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


NEW = "convert intro new acquired friend"
REGISTERED = "pull_in intro new acquired friend"
TWICE = "retain growth existing value trust"

# case: {days since FIRST: stage in growth5, maturity5, value5, classic5, relation5}.
STAGES = {
    "one_order_ecommerce": {
        **dict.fromkeys((0, 59, 60, 61, 89), NEW),
        **dict.fromkeys((90, 91, 179), "convert dormant sleeping acquired friend"),
        180: "convert lost sleeping acquired friend",
    },
    "one_order_food": {
        59: NEW,
        **dict.fromkeys((60, 61, 89, 90, 91, 119), "convert dormant sleeping acquired friend"),
        **dict.fromkeys((120, 179, 180), "convert lost sleeping acquired friend"),
    },
    "refunded_on_day_10": {9: NEW, 10: "pull_in intro prospect aware met"},
    "back_on_day_230": {
        0: NEW,
        229: "convert lost sleeping acquired friend",
        230: TWICE,
        319: TWICE,
        320: "retain dormant sleeping value trust",
        409: "retain dormant sleeping value trust",
        410: "convert lost sleeping value trust",
    },
    "rich_then_silent": {
        1: TWICE,
        30: "retain growth high_value value trust",
        90: "retain growth high_value value trust",
        91: "retain dormant sleeping value trust",
        181: "convert lost sleeping value trust",
    },
    "merged_a": {59: NEW, 60: TWICE},
    "refers_first": {
        5: REGISTERED,
        6: "refer intro new loyal friend",
        20: "refer intro new loyal friend",
        370: "refer lost sleeping loyal friend",
        371: "convert lost sleeping acquired friend",
    },
    "activity_drop": {
        11: REGISTERED,
        12: "activate intro new active friend",
        25: "activate intro new active friend",
        26: "activate growth new active frequent",
        27: "activate growth new active frequent",
        28: "activate intro new active friend",
        31: "activate growth new active frequent",
        53: "activate intro new active friend",
        54: "pull_in dormant new acquired friend",
    },
    "renews_after_3_days": {
        0: "convert intro new value friend",
        # The contract of 100 days nears its end from day 70 on.
        69: "convert intro new value friend",
        70: "convert intro sleeping value friend",
        100: "convert intro sleeping acquired friend",
        103: "retain intro new value friend",
        207: "convert lost sleeping acquired friend",
        210: "retain intro new value friend",
    },
    "changes_business": {
        9: NEW,
        10: TWICE,
        54: TWICE,
        55: "retain dormant sleeping value trust",
        99: "retain dormant sleeping value trust",
        100: "convert lost sleeping value trust",
    },
    "promoter": {
        20: TWICE,
        29: TWICE,
        30: "retain growth existing loyal confidant",
        39: "retain growth existing loyal confidant",
        40: TWICE,
    },
    "writer": {
        5: REGISTERED,
        10: "refer intro new loyal friend",
        369: "refer lost sleeping loyal friend",
        370: "convert lost sleeping acquired friend",
    },
    "treated_every_30_days": {
        35: NEW,
        36: "convert intro sleeping acquired friend",
        44: "convert intro sleeping acquired friend",
        45: "convert dormant sleeping acquired friend",
        89: "convert dormant sleeping acquired friend",
        90: "convert lost sleeping acquired friend",
    },
}


@pytest.mark.parametrize(
    ("case", "days"), [(case, days) for case, found in STAGES.items() for days in found]
)
def test_every_model_on_the_day(stages: Stages, case: str, days: int) -> None:
    found = [stages.on(case, model, FIRST + days * DAY) for model in MODELS]
    assert found == STAGES[case][days].split()


def test_every_model_of_a_visitor_and_of_a_buyer_on_the_first_day(stages: Stages) -> None:
    def found(case: str, day: date) -> list[object]:
        return [stages.on(case, model, day) for model in MODELS]

    visitor = ["pull_in", "intro", "prospect", "aware", "met"]
    assert found("visitor", date(2026, 1, 1)) == visitor
    assert found("visitor", date(2026, 1, 1) + 179 * DAY) == visitor
    assert found("visitor", date(2026, 1, 1) + 180 * DAY) == [visitor[0], "lost", *visitor[2:]]
    assert found("same_minute", date(2026, 6, 1)) == NEW.split()


def test_a_lead_becomes_a_buyer_without_a_transition(stages: Stages) -> None:
    columns = "stage_code, sub_stage_code, valid_from"
    for days, part, since in ((19, "new_lead", 0), (20, "new_buyer", 20)):
        found = stages.on("refers_first", "value5", FIRST + days * DAY, columns)
        assert found == ("new", part, FIRST + since * DAY)
    assert stages.on("refers_first", "growth5", FIRST, "sub_stage_code") is None
    assert stages.kinds("refers_first", "value5")[:2] == [
        ("enter", "new", 0, 1),
        ("downgrade", "sleeping", 110, 1),
    ]


@pytest.mark.parametrize(
    ("case", "model", "first", "stage"),
    [
        # The median gap is 10 days: 15 and 30 are below half of the fixed 90 and 180.
        ("every_ten_days", "maturity5", 30 + 45, "dormant"),
        ("every_ten_days", "value5", 30 + 45, "sleeping"),
        ("every_ten_days", "maturity5", 30 + 90, "lost"),
        ("every_ten_days", "growth5", 30 + 90, "convert"),
        # Two gaps of 100 days say nothing yet, three say 150.
        ("every_100_days", "maturity5", 90, "dormant"),
        ("every_100_days", "maturity5", 290, "dormant"),
        ("every_100_days", "maturity5", 300 + 150, "dormant"),
        ("every_100_days", "value5", 300 + 150, "sleeping"),
    ],
)
def test_the_adaptive_mode_knows_the_customers_own_gaps(
    stages: Stages, case: str, model: str, first: int, stage: str
) -> None:
    day = FIRST + first * DAY
    assert stages.on(case, model, day, mode="adaptive") == stage
    assert stages.on(case, model, day - DAY, mode="adaptive") != stage


def test_the_adaptive_mode_brings_its_overlays_to_every_model(stages: Stages) -> None:
    for mode, expected in (("fixed", False), ("adaptive", True)):
        day = FIRST + 75 * DAY
        assert stages.on("every_ten_days", "classic5", day, "is_dormant", mode) is expected


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


def test_who_asks_to_be_erased_leaves_every_model_on_that_day(stages: Stages) -> None:
    last = stages.connection.execute(
        "select distinct max(valid_to) from marts.customer_lifecycle_intervals"
        " where customer_id = ? group by model_code",
        [stages.customer("erased_on_day_40")],
    ).fetchall()
    assert last == [(FIRST + 40 * DAY,)]
    for model in MODELS:
        kinds = stages.kinds("erased_on_day_40", model)
        assert kinds == [("enter", kinds[0][1], 0, 1), ("exit", None, 40, 1)]


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
