"""The pipeline on the small project, run by run: what is published, what is not, and what is said."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from small_project import KEY, Checkout, new_checkout


@dataclass(frozen=True)
class Ran:
    """One run and what readers saw after it."""

    done: subprocess.CompletedProcess
    version: tuple
    customers: int

    @property
    def code(self) -> int:
        return self.done.returncode

    @property
    def said(self) -> str:
        assert self.done.stderr.count("\n") == 1, self.done.stderr
        return self.done.stderr


def ran(checkout: Checkout, *arguments: str) -> Ran:
    done = checkout.perennial("run", *arguments)
    with duckdb.connect(str(checkout.data / "serving" / "marts.duckdb"), read_only=True) as marts:
        version = marts.execute(
            "select version_id, as_of, run_id from published_version"
        ).fetchone()
        customers = marts.execute("select count(*) from dim_customer").fetchone()[0]
    return Ran(done, version, customers)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return new_checkout(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def story(checkout: Checkout) -> dict[str, Ran]:
    """Eight runs, one after another, on one data root."""
    runs = {}
    checkout.drop("a.csv", *(f"x,{n},female" for n in range(10)))
    runs["first"] = ran(checkout)

    models = checkout.path / "models" / "core" / "_core.yml"
    checkout.drop("b.csv", "x,10,unknown")
    runs["failing test"] = ran(checkout)
    models.write_text(models.read_text().replace("[female, male]", "[female, male, unknown]"))
    bad = checkout.drop("c.csv", "1", header="something")
    runs["mended, with a refused file"] = ran(checkout)
    bad.unlink()

    checkout.drop("d.csv", "x,11,female", "x,12")
    runs["bad records"] = ran(checkout)
    runs["allowed"] = ran(checkout, "--vars", "{max_quarantined_share: 0.5}")

    runs["another day"] = ran(checkout, "--as-of", "2026-01-31")
    runs["bad setting"] = ran(checkout, "--vars", "{rfm_method: neither}")

    test = checkout.path / "tests" / "assert" / "assert_customers_and_files.sql"
    test.write_text(test.read_text().replace("< 0", "> 0"))
    runs["failing test of two models"] = ran(checkout)
    return runs


def test_a_run_publishes_and_says_one_line_a_step(
    story: dict[str, Ran], checkout: Checkout
) -> None:
    first = story["first"]
    assert first.code == 0, first.done.stderr
    assert first.done.stderr == ""
    lines = first.done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "prepare",
        "land",
        "build",
        "publish",
        "report",
        "Published",
    ]
    assert "1 files landed (10 records = 10 landed + 0 quarantined)" in lines[1]
    assert "4 models, 5 seeds, 4 of 4 tests passed" in lines[2]
    assert all(line.endswith(" s)") for line in lines[:5])
    assert str(checkout.data / "serving" / "report.html") in lines[5]
    assert first.customers == 10
    assert first.version[1].isoformat() == "2026-06-30"
    assert first.version[2] in lines[0]


def test_a_failing_test_publishes_nothing(story: dict[str, Ran]) -> None:
    failed = story["failing test"]
    assert failed.code == 1
    assert "accepted_values_dim_customer_gender" in failed.said
    assert (failed.version, failed.customers) == (story["first"].version, 10)
    assert "publish" not in failed.done.stdout


def test_a_changed_project_is_parsed_anew(story: dict[str, Ran]) -> None:
    assert story["mended, with a refused file"].customers == 11


def test_a_refused_file_stops_no_other_and_ends_with_3(story: dict[str, Ran]) -> None:
    refused = story["mended, with a refused file"]
    assert refused.code == 3
    assert "max_refused_files" in refused.said
    assert "refused direct/account/c.csv" in refused.done.stdout
    assert refused.version != story["first"].version


def test_too_many_bad_records_stop_publishing(story: dict[str, Ran]) -> None:
    stopped = story["bad records"]
    assert stopped.code == 1
    assert "direct/account: 1 of 2 new records are in quarantine (50.0%" in stopped.said
    assert stopped.version == story["mended, with a refused file"].version
    assert story["allowed"].code == 0
    assert story["allowed"].customers == 12
    assert "warning: 1 new records are in quarantine" in story["allowed"].done.stdout
    assert "warning" not in story["another day"].done.stdout


def test_as_of_is_an_input(story: dict[str, Ran]) -> None:
    assert story["another day"].code == 0
    assert story["another day"].version[1].isoformat() == "2026-01-31"


def test_a_bad_value_of_a_setting_is_wrong_use(story: dict[str, Ran]) -> None:
    assert story["bad setting"].code == 2
    assert "Setting rfm_method must be quantile or fixed" in story["bad setting"].said


def test_a_failing_test_that_is_no_check_publishes_nothing_either(story: dict[str, Ran]) -> None:
    """A test of two models is no asset check, so only the outcome of dbt itself stops publishing."""
    failed = story["failing test of two models"]
    assert failed.code == 1
    assert "assert_customers_and_files" in failed.said
    assert failed.version == story["another day"].version


def test_descriptions_travel_with_the_published_file(
    story: dict[str, Ran], checkout: Checkout
) -> None:
    with duckdb.connect(str(checkout.data / "serving" / "marts.duckdb"), read_only=True) as marts:
        comments = dict(
            marts.execute(
                "select column_name, comment from duckdb_columns() where table_name = 'dim_customer'"
            ).fetchall()
        )
        table = marts.execute(
            "select comment from duckdb_tables() where table_name = 'dim_customer'"
        ).fetchone()[0]
    assert comments["customer_id"] == "Who."
    assert table == "Who there is; \"quoted\" and 'quoted'."


def test_manifest_and_versions(story: dict[str, Ran], checkout: Checkout) -> None:
    serving = checkout.data / "serving"
    manifest = json.loads((serving / "manifest.json").read_text())
    last = story["another day"].version
    assert (manifest["version"], manifest["as_of"], manifest["run_id"]) == (
        last[0],
        "2026-01-31",
        last[2],
    )
    assert manifest["row_counts"] == {
        "dim_customer": 12,
        "reconciliation_daily": 3,
        "reconciliation_files": 3,
    }
    published = sorted({run.version[0] for run in story.values()})
    assert len(published) == 4
    assert sorted(path.stem for path in (serving / "versions").glob("*.duckdb")) == published[-3:]


def test_runs_show_in_dagsters_storage(story: dict[str, Ran], checkout: Checkout) -> None:
    with sqlite3.connect(checkout.data / "dagster" / "history" / "runs.db") as runs:
        found = runs.execute("select pipeline_name, status from runs order by id").fetchall()
    assert len(found) == 8
    assert {name for name, _ in found} == {"refresh"}
    assert [status for _, status in found].count("SUCCESS") == 4


def test_the_key_is_nowhere_on_disk(story: dict[str, Ran], checkout: Checkout) -> None:
    files = [path for path in checkout.data.rglob("*") if path.is_file()]
    files += [path for path in (checkout.path / "target").rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_status_shows_all_of_it(story: dict[str, Ran], checkout: Checkout) -> None:
    screen = checkout.perennial("status").stdout
    assert f"version {story['another day'].version[0]} as of 2026-01-31" in screen
    assert "Last build  failed in assert_customers_and_files" in screen


def test_dagster_dev_opens_the_same_storage(story: dict[str, Ran], checkout: Checkout) -> None:
    """As `dagster dev` does it: no DAGSTER_HOME, dagster.yaml in the working directory."""
    code = (
        "from dagster._cli.utils import get_possibly_temporary_instance_for_cli as open_\n"
        "with open_() as i: print(len(i.get_runs()), i.telemetry_enabled, i.nux_enabled)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout.path, env=checkout.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "8 False False"
    assert not list(Path(checkout.path).glob(".tmp_dagster_home_*"))
