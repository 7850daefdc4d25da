"""Predictions in a run: what stops them, and what becomes of a run without new ones."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from datetime import date
from pathlib import Path

import duckdb
import pytest
from small_project import Checkout, add_predictions, new_checkout

from orchestration.clv.pipeline import refresh
from orchestration.clv.schemas import FILES, forget_failure, write_failure
from orchestration.serving.predictions import find

BEFORE, TODAY = date(2026, 6, 20), date(2026, 6, 30)
SECRET = "c_0123456789"
CHANGES = """
    select 'c_old' as customer_id, date '2026-06-01' as order_day_on, date '2026-06-01' as known_on,
        1::bigint as order_delta, 10.0 as net_sales_delta, 5.0 as margin_delta
"""
PROSPECTS = """
    select 'c_old' as customer_id, 'pos' as acquisition_channel, date '2026-05-01' as first_seen_on,
        null::date as registered_on, 'ecommerce' as business_type, 'noncontractual' as relationship_type
"""


class Story:
    """What each command said, and what readers saw after it."""

    def __init__(self, checkout: Checkout):
        self.checkout = checkout
        self.done: dict[str, subprocess.CompletedProcess] = {}
        self.runs: dict[str, list[str]] = {}

    def tell(self, name: str, *arguments: str) -> None:
        self.done[name] = self.checkout.perennial(*arguments)
        folder = self.checkout.data / "clv"
        self.runs[name] = sorted(path.name for path in folder.iterdir() if path.name[0] != "_")

    def read(self, sql: str) -> list[tuple]:
        """What the published file says now."""
        marts = self.checkout.data / "serving" / "marts.duckdb"
        with duckdb.connect(str(marts), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """There are predictions of an earlier day; then a test of core fails, then the models fail."""
    checkout = new_checkout(tmp_path_factory.mktemp("predictions"))
    add_predictions(checkout)
    with duckdb.connect() as connection:
        changes, prospects = connection.sql(CHANGES), connection.sql(PROSPECTS)
        refresh(changes, prospects, BEFORE, checkout.data / "clv")
    story = Story(checkout)
    checkout.drop("a.csv", "x,1,female", "x,2,nobody")
    story.tell("core fails", "run")

    for folder in ("landed", "ledger"):
        shutil.rmtree(checkout.data / folder)
    checkout.drop("a.csv", "x,1,female", "x,2,male")
    models = checkout.path / "orchestration" / "clv" / "pipeline.py"
    text, start = models.read_text(), "    horizon = plan("
    assert text.count(start) == 1
    models.write_text(text.replace(start, f"    raise FloatingPointError('{SECRET}')\n{start}"))
    story.tell("models fail", "run")
    models.write_text(text)
    return story


def test_a_failing_test_of_core_stops_the_fit(story: Story) -> None:
    done = story.done["core fails"]
    assert done.returncode == 1
    assert "accepted_values_dim_customer_gender" in done.stderr
    assert "predict" not in done.stdout
    assert [name[:10] for name in story.runs["core fails"]] == ["2026-06-20"]


def test_models_that_fail_stop_nothing_and_every_place_says_so(story: Story) -> None:
    """The last predictions are published, with their date."""
    done = story.done["models fail"]
    assert done.returncode == 0, done.stderr
    steps = [line.split()[0] for line in done.stdout.splitlines()]
    assert steps == [
        "prepare",
        "land",
        "build",
        "predict",
        "value",
        "publish",
        "warning:",
        "report",
        "Published",
    ]
    assert "build     7 models, 5 seeds, 4 of 4 tests passed  (" in done.stdout
    assert "value     9 models, 5 seeds, 4 of 4 tests passed in all  (" in done.stdout
    assert "warning: the models failed (FloatingPointError)" in done.stdout

    assert story.read("select as_of from published_version") == [(TODAY,)]
    assert story.read("select customer_id, predicted_on from clv_prediction") == [("c_old", BEFORE)]
    runs = story.read("select distinct as_of, status = 'failed', is_current from clv_model_run")
    assert sorted(runs) == [(BEFORE, False, True), (TODAY, True, False)]

    found = f"as of 2026-06-20 by run {story.runs['core fails'][0]}, champion none"
    flaw = "10 days older than the version, the models failed on the facts of 2026-06-30"
    assert f"warning: the predictions are old ({flaw}): {found}\n" in done.stdout
    assert f"Predicted   {found}; OLD: {flaw}\n" in story.checkout.perennial("status").stdout
    index = story.checkout.data / "dagster" / "history" / "runs" / "index.db"
    with sqlite3.connect(index) as events:
        checks = events.execute(
            "select execution_status from asset_check_executions "
            "where check_name = 'answered' and execution_status <> 'PLANNED'"
        ).fetchall()
    assert checks == [("FAILED",)]


def test_what_an_error_says_of_the_data_goes_into_the_log_only(story: Story) -> None:
    assert SECRET in (story.checkout.data / "logs" / "perennial.log").read_text()
    assert SECRET not in "".join(done.stdout + done.stderr for done in story.done.values())
    for path in (story.checkout.data / "clv").rglob("*.parquet"):
        assert SECRET.encode() not in path.read_bytes()


def test_a_later_answer_takes_the_place_of_the_failure(story: Story) -> None:
    story.tell("built", "build")
    built = story.done["built"]
    assert built.returncode == 0, built.stderr
    steps = [line.split()[0] for line in built.stdout.splitlines()]
    assert steps == ["prepare", "build", "predict", "value"]
    assert "2026-06-30-failed" in story.runs["models fail"]
    assert "2026-06-30-failed" not in story.runs["built"]

    story.tell("published", "publish")
    assert story.done["published"].returncode == 0, story.done["published"].stderr
    assert "warning" not in story.done["published"].stdout
    days = story.read("select customer_id, predicted_on from clv_prediction order by all")
    assert days == [("1", TODAY), ("2", TODAY)]


@pytest.mark.parametrize(
    ("runs", "found", "flaw"),
    [
        ([], "nothing yet", None),
        ([(TODAY, "failed", False)], "nothing yet", "the models failed on 2026-06-30"),
        ([(TODAY, "ok", True)], "as of 2026-06-30 by run r, champion m", None),
        (
            [(BEFORE, "ok", True)],
            "as of 2026-06-20 by run r, champion m",
            "10 days older than the version",
        ),
        (
            [(BEFORE, "failed", False), (TODAY, "ok", True)],
            "as of 2026-06-30 by run r, champion m",
            None,
        ),
        # By its date alone nobody would see that this answer is to older facts.
        (
            [(TODAY, "failed", False), (TODAY, "ok", True)],
            "as of 2026-06-30 by run r, champion m",
            "the models failed on the facts of 2026-06-30",
        ),
    ],
)
def test_the_age_of_predictions(
    runs: list[tuple[date, str, bool]], found: str, flaw: str | None
) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "create table runs (as_of date, status varchar, is_current boolean, model_run_id varchar, "
            "submodel varchar, is_champion boolean)"
        )
        for as_of, status, is_current in runs:
            connection.execute(
                "insert into runs values (?, ?, ?, 'r', 'm', ?)",
                [as_of, status, is_current, status == "ok"],
            )
        assert find(connection, "runs", TODAY) == (found, flaw)


def test_a_failure_is_a_run_without_rows_but_one(tmp_path: Path) -> None:
    write_failure(tmp_path, TODAY, "first")
    write_failure(tmp_path, TODAY, "second")
    (folder,) = tmp_path.iterdir()
    assert {path.stem for path in folder.iterdir()} == set(FILES)
    with duckdb.connect() as connection:
        rows = {
            name: connection.read_parquet(str(folder / f"{name}.parquet")).fetchall()
            for name in FILES
        }
        said = connection.sql(f"select status, config from '{folder}/model_run.parquet'").fetchall()
    assert {name for name, found in rows.items() if found} == {"model_run"}
    assert said == [("failed", '{"reason": "second"}')]
    forget_failure(tmp_path, TODAY)
    assert list(tmp_path.iterdir()) == []
