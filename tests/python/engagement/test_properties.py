"""Order of rows and threads change nothing; a past day is what a run on only the rows up to it gives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from rebuilt import Warehouse

MARTS = (
    "activity_daily",
    "cohort_daily",
    "cohort_monthly",
    "funnel_monthly",
    "kpi_daily",
    "engagement_monthly",
    "stage_upgrade_monthly",
    "stage_value_monthly",
    "churn_reason_monthly",
)
PAST = date(2026, 3, 17)

# What dates a row of the unified entities, for a warehouse that stops on a day.
MOMENTS = {
    "event": "event_at",
    "order_header": "ordered_at",
    "refund": "refunded_at",
    "feedback": "feedback_at",
    "touch": "touched_at",
    "referral": "invited_at",
    "spend": "spend_date",
    "account": "coalesce(registered_at, created_at, '1970-01-01')",
}


@pytest.fixture
def warehouse(demo_root: Path, manifest: dict, tmp_path: Path) -> Iterator[Warehouse]:
    found = Warehouse(demo_root, manifest, tmp_path / "one", MARTS)
    yield found
    found.connection.close()


def test_order_of_rows_and_threads_do_not_matter(warehouse: Warehouse) -> None:
    before = warehouse.rows()
    shuffled = ("fct_event", "fct_session", "fct_customer_day", "fct_feedback", "dim_customer")
    warehouse.connection.execute("select setseed(0.5)")
    for name in shuffled:
        warehouse.connection.execute(
            f"create or replace table core.{name} as select * from core.{name} order by random()"
        )
    warehouse.connection.execute("set threads = 1")
    warehouse.rebuild(shuffled)
    assert warehouse.rows() == before
    assert all(before.values())


def test_a_past_day_is_the_run_on_the_rows_up_to_it(
    warehouse: Warehouse, demo_root: Path, manifest: dict, tmp_path: Path
) -> None:
    warehouse.look_from(PAST)
    warehouse.rebuild(("int_core__as_of",))
    found = warehouse.rows()

    stopped = Warehouse(demo_root, manifest, tmp_path / "two", MARTS)
    stopped.look_from(PAST)
    cut = []
    for entity, moment in MOMENTS.items():
        stopped.replace(
            f"unified.unified_{entity}",
            f"select * from unified.unified_{entity}"
            f" where cast(({moment}) + interval 8 hour as date) <= date '{PAST}'",
        )
        cut.append(f"unified_{entity}")
    stopped.rebuild(("int_core__as_of", *cut))
    again = stopped.rows()
    stopped.connection.close()
    for mart in MARTS:
        assert found[mart] == again[mart], mart
    assert {row[2] for row in found["activity_daily"]} == {PAST}
