"""Local days across midnight and both changes of daylight saving, in New York; and what is not landed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from checkout import run

VARS = (
    "{as_of: 2025-11-03, business_timezone: America/New_York, reporting_currency: USD,"
    " channels: {direct: [account, identity_link, event, order_header, order_line, refund, product, spend,"
    " touch, campaign, benefit, feedback, referral, subscription, privacy_event]}}"
)

# In March the clock jumps from 2 to 3 on the 9th, a day of 23 hours; in November from 2 back to 1 on the 2nd, one of 25.
MOMENTS = {
    "night_before_march": "2025-03-09T04:59:59Z",  # 8 March, 23:59:59
    "march_begins": "2025-03-09T05:00:00Z",  # 9 March, 00:00
    "march_ends": "2025-03-10T03:59:59Z",  # 9 March, 23:59:59, four hours from UTC now
    "day_after_march": "2025-03-10T04:00:00Z",  # 10 March
    "night_before_november": "2025-11-02T03:59:59Z",  # 1 November
    "november_begins": "2025-11-02T04:00:00Z",  # 2 November, 00:00
    "november_ends": "2025-11-03T04:59:59Z",  # 2 November, 23:59:59, 24 hours and 59:59 later
    "day_after_november": "2025-11-03T05:00:00Z",  # 3 November
}
DAYS = {
    date(2025, 3, 8): {"night_before_march", "over_midnight"},
    date(2025, 3, 9): {"march_begins", "march_ends", "over_midnight"},
    date(2025, 3, 10): {"day_after_march"},
    date(2025, 11, 1): {"night_before_november"},
    date(2025, 11, 2): {"november_begins", "november_ends"},
    date(2025, 11, 3): {"day_after_november", "over_as_of"},
}


def _write(folder: Path) -> None:
    records: dict[str, list[dict[str, str]]] = {"account": [], "event": []}

    def add(entity: str, **values: str) -> None:
        rows = records[entity]
        rows.append({"source_system": "app", "source_record_id": f"{entity}-{len(rows)}"} | values)

    for name, moment in MOMENTS.items():
        add("account", source_record_id=name, registered_at=moment, account_kind="member")
        add("event", account_ref=name, event_at=moment, event_name="app_open")
    for name in ("over_midnight", "over_as_of"):
        add("account", source_record_id=name, account_kind="lead")
    # Ten minutes on either side of midnight are one visit of the day on which it began, and two active days.
    for moment in ("2025-03-09T04:50:00Z", "2025-03-09T05:10:00Z"):
        add("event", account_ref="over_midnight", event_at=moment, event_name="page_view")
    # The second event is after as_of: as known then, the visit has lasted no time yet.
    for moment in ("2025-11-04T04:50:00Z", "2025-11-04T05:10:00Z"):
        add("event", account_ref="over_as_of", event_at=moment, event_name="page_view")
    for entity, rows in records.items():
        (folder / entity).mkdir(parents=True)
        (folder / entity / "days.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    root = tmp_path_factory.mktemp("days")
    _write(root / "landing" / "direct")
    run("perennial", "land", data_root=root, PERENNIAL_KEY="k" * 32)
    run(
        "dbt", "build", "--exclude-resource-type", "test", "unit_test",
        "--select", "+kpi_daily", "+cohort_monthly", "+engagement_monthly", "+customer_lifecycle_intervals",
        "--vars", VARS,
        data_root=root,
    )  # fmt: skip
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def test_a_day_is_a_local_one(built: duckdb.DuckDBPyConnection) -> None:
    found = built.execute(
        "select day_on, dau_count, registration_count from marts.activity_daily"
        " where channel_code = 'all' and dau_count > 0"
    ).fetchall()
    assert {day: people for day, people, _ in found} == {day: len(who) for day, who in DAYS.items()}
    registered = {day: len(who & set(MOMENTS)) for day, who in DAYS.items()}
    assert {day: count for day, _, count in found} == registered


def test_windows_and_months_count_local_days(built: duckdb.DuckDBPyConnection) -> None:
    rows = built.execute(
        "select day_on, wau_count, mau_count, month_active_count from marts.activity_daily"
        " where channel_code = 'all'"
    ).fetchall()
    of = {day: tuple(counts) for day, *counts in rows}
    assert of[date(2025, 3, 10)] == (5, 5, 5)
    assert of[date(2025, 3, 14)] == (5, 5, 5)
    assert of[date(2025, 3, 15)] == (4, 5, 5)
    assert of[date(2025, 3, 17)] == (0, 5, 5)
    assert of[date(2025, 4, 1)] == (0, 5, 0)
    assert of[date(2025, 4, 6)] == (0, 1, 0)
    assert of[date(2025, 4, 7)] == (0, 0, 0)
    assert of[date(2025, 11, 3)] == (5, 5, 5)


def test_a_visit_belongs_to_the_day_on_which_it_began(built: duckdb.DuckDBPyConnection) -> None:
    rows = built.execute(
        "select day_on, session_count, session_seconds from marts.activity_daily"
        " where channel_code = 'all' and session_count > 0"
    ).fetchall()
    of = {day: (count, seconds) for day, count, seconds in rows}
    assert of[date(2025, 3, 8)] == (2, 1200)
    assert of[date(2025, 3, 9)] == (2, 0)
    assert of[date(2025, 11, 3)] == (2, 0)


def test_cohorts_begin_on_local_days(built: duckdb.DuckDBPyConnection) -> None:
    found = built.execute(
        "select cohort_month_on, age_months, customer_count, active_count, order_count from marts.cohort_monthly"
        " where entry_event = 'registration' and channel_code = 'all' order by all"
    ).fetchall()
    assert found[0] == (date(2025, 3, 1), 0, 4, 4, None)
    assert found[1] == (date(2025, 3, 1), 1, 4, 0, None)
    assert found[-1] == (date(2025, 11, 1), 0, 4, None, None)
    assert len(found) == 10


def test_stages_begin_and_end_on_local_days(built: duckdb.DuckDBPyConnection) -> None:
    """From the day of registration on, and 180 days of silence are days, of 23 hours or of 25."""
    found = {
        (name, stage): days
        for name, stage, *days in built.execute(
            "select id_value, stage_code, stages.valid_from, stages.valid_to"
            " from marts.customer_lifecycle_intervals as stages"
            " inner join core.bridge_customer_identifier using (customer_id)"
            " where id_type = 'account' and model_code = 'maturity5'"
        ).fetchall()
    }
    for day, names in DAYS.items():
        lost_on = day + timedelta(days=180)
        is_lost = lost_on <= date(2025, 11, 3)
        for name in names & set(MOMENTS):
            assert found[name, "intro"] == [day, lost_on if is_lost else None]
            assert ((name, "lost") in found) == is_lost


def test_what_is_not_landed_is_null(built: duckdb.DuckDBPyConnection) -> None:
    sources = (
        "order_count, net_sales_amount, new_buyer_count, impression_count, click_count, click_rate"
    )
    assert set(
        built.execute(f"select distinct {sources} from marts.activity_daily").fetchall()
    ) == {(None,) * 6}
    landed = built.execute(
        "select distinct metric_code from marts.engagement_monthly where numerator_value is not null"
    ).fetchall()
    assert {code for (code,) in landed} == {
        "active_customers", "channel_registrations", "dau_mean", "lead_events", "mau", "registrations",
        "session_seconds", "sessions", "shares", "stickiness", "views",
        *(f"retention_{kind}" for kind in ("d1", "d7", "d30", "d1_7", "d8_30")),
        *(f"retention_rolling_d{n}" for n in (1, 7, 30)),
    }  # fmt: skip
    kpis = built.execute(
        "select distinct metric_code from marts.kpi_daily where metric_value is not null"
    ).fetchall()
    assert {code for (code,) in kpis} == {
        "dau",
        "leads",
        "registrations",
        "session_seconds",
        "sessions",
        "views",
    }
    assert built.execute(
        "select count(*), count(customer_count) from marts.funnel_monthly where step_event = 'order'"
    ).fetchone()[1] == 0  # fmt: skip
