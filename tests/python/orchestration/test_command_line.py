"""What the command line says to people: one line for each mistake, and the right exit code."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from small_project import Checkout, new_checkout

from orchestration.runtime import preflight
from orchestration.runtime.lock import BlockedError, run_lock
from orchestration.runtime.paths import DataPaths


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return new_checkout(tmp_path)


HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
time.sleep(60)
"""


def one_line(done: subprocess.CompletedProcess, code: int) -> str:
    """The only line that a refused command prints."""
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.startswith("perennial")
    return done.stderr


def test_no_landing_data(checkout: Checkout) -> None:
    assert "perennial demo" in one_line(checkout.perennial("run"), 2)


def test_an_empty_table_folder_is_no_data_either(checkout: Checkout) -> None:
    (checkout.data / "landing" / "direct" / "account").mkdir(parents=True)
    assert "holds no files" in one_line(checkout.perennial("run"), 2)


def test_rules_that_contradict_each_other(checkout: Checkout) -> None:
    checkout.drop("a.csv", "x,1,female")
    assert checkout.perennial("land").returncode == 0
    landed = [path for path in (checkout.data / "landed").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in landed}
    checkout.drop("b.csv", "x,2,female")
    with (checkout.path / "seeds" / "manual_link.csv").open("a") as seed:
        for action in ("must", "cannot"):
            seed.write(f"{action},member_id,club,A,member_id,club,B,li,twins,,\n")
    for command in ("land", "run"):
        said = one_line(checkout.perennial(command), 2)
        assert "seeds/manual_link.csv row 3: this cannot contradicts the must of row 2;" in said
        landed = [path for path in (checkout.data / "landed").rglob("*") if path.is_file()]
        assert {path: path.read_bytes() for path in landed} == before


def test_unknown_channel(checkout: Checkout) -> None:
    checkout.drop("a.csv", "x,1,female")
    assert "'tmall'" in one_line(checkout.perennial("run", "--channels", "direct,tmall"), 2)


@pytest.mark.parametrize(
    "day", ["2026-02-30", "yesterday", "20260630", "2026-06-30'; drop table x; --", ""]
)
def test_bad_day(checkout: Checkout, day: str) -> None:
    checkout.drop("a.csv", "x,1,female")
    assert "--as-of must be a day" in one_line(checkout.perennial("run", "--as-of", day), 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "YAML mapping"),
        ("{", "YAML mapping"),
        ("{rfm_metod: fixed}", "did you mean rfm_method?"),
        ("{channels: direct}", "must map each channel"),
        ("{as_of: 2026-13-01}", "must be a day"),
    ],
)
def test_bad_vars(checkout: Checkout, text: str, said: str) -> None:
    checkout.drop("a.csv", "x,1,female")
    assert said in one_line(checkout.perennial("run", "--vars", text), 2)


def test_two_different_days(checkout: Checkout) -> None:
    done = checkout.perennial("run", "--as-of", "2026-06-30", "--vars", "{as_of: 2026-06-29}")
    assert "give one of them" in one_line(done, 2)


@pytest.mark.parametrize("key", ["", "short"])
def test_missing_or_short_key(checkout: Checkout, key: str) -> None:
    checkout.drop("a.csv", "x,1,female")
    assert "PERENNIAL_KEY" in one_line(checkout.perennial("run", PERENNIAL_KEY=key), 2)


def test_a_second_run_names_the_first_at_once(checkout: Checkout) -> None:
    checkout.drop("a.csv", "x,1,female")
    paths = DataPaths(checkout.data)
    with run_lock(paths.lock, "the-first-run"):
        started = time.monotonic()
        said = one_line(checkout.perennial("run"), 1)
        assert time.monotonic() - started < 5
    assert "Run the-first-run (process " in said
    assert not paths.ledger.exists()


def test_a_lock_left_by_a_killed_run_is_none(checkout: Checkout) -> None:
    paths = DataPaths(checkout.data)
    code = (
        "import os, sys, pathlib; from orchestration.runtime.lock import run_lock\n"
        "with run_lock(pathlib.Path(sys.argv[1]), 'killed'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(paths.lock)], check=False)
    assert "killed" in paths.lock.read_text()
    with run_lock(paths.lock, "next"):
        assert "next" in paths.lock.read_text()


def test_a_lock_is_for_one_run_even_within_a_process(tmp_path: Path) -> None:
    with run_lock(tmp_path / "lock", "a"):
        with run_lock(tmp_path / "lock", "a"):
            pass
        with pytest.raises(BlockedError, match="Run a "), run_lock(tmp_path / "lock", "b"):
            pass
    with run_lock(tmp_path / "lock", "b"):
        pass


def test_a_program_that_holds_the_warehouse_is_named(checkout: Checkout) -> None:
    checkout.drop("a.csv", "x,1,female")
    paths = DataPaths(checkout.data)
    import duckdb

    duckdb.connect(str(paths.warehouse)).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(paths.warehouse)], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline()
        said = one_line(checkout.perennial("run"), 1)
    finally:
        holder.kill()
        holder.wait()
    assert f"(process {holder.pid})" in said
    assert "python" in said


def test_a_warehouse_that_is_none(checkout: Checkout) -> None:
    checkout.drop("a.csv", "x,1,female")
    (checkout.data / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    assert "move it away" in one_line(checkout.perennial("run"), 1)


def test_a_full_disk_before_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    paths = DataPaths(tmp_path)
    with paths.warehouse.open("wb") as file:
        file.truncate(2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 10**10, 3 * 2**30 - 1))
    with pytest.raises(
        BlockedError, match=r"3\.2 GB free and a run needs 3\.2 GB \(3 times the 1\.1 GB"
    ):
        preflight.check_disk(paths)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 0, 3 * 2**30))
    preflight.check_disk(paths)


def test_unknown_commands_and_options_are_one_line(checkout: Checkout) -> None:
    assert "--help" in one_line(checkout.perennial("rnu"), 2)
    assert "--help" in one_line(checkout.perennial("run", "--as-off", "x"), 2)


@pytest.mark.parametrize(
    "command", ["demo", "run", "land", "build", "publish", "report", "status", "identity"]
)
def test_every_command_has_help(checkout: Checkout, command: str) -> None:
    done = checkout.perennial(command, "--help")
    assert done.returncode == 0
    assert "exit codes:" in done.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [("build", "perennial land"), ("publish", "perennial build"), ("report", "perennial run")],
)
def test_a_step_out_of_order(checkout: Checkout, command: str, said: str) -> None:
    done = checkout.perennial(command)
    assert said in one_line(done, 1 if command == "publish" else 2)


def test_a_dry_run_of_nothing(checkout: Checkout) -> None:
    assert "--dry-run" in one_line(checkout.perennial("identity"), 2)
    assert "perennial run" in one_line(checkout.perennial("identity", "--dry-run"), 2)
    assert not checkout.data.exists()


def test_status_of_nothing(checkout: Checkout) -> None:
    done = checkout.perennial("status")
    assert done.returncode == 0
    assert "nothing yet" in done.stdout
    assert "none landed yet" in done.stdout


def test_status_names_the_run_that_is_at_work(checkout: Checkout) -> None:
    with run_lock(DataPaths(checkout.data).lock, "a-run"):
        screen = checkout.perennial("status").stdout
    assert "Running     run a-run in process " in screen
    assert "Running" not in checkout.perennial("status").stdout


def test_a_defect_is_one_line_too_and_the_log_has_the_rest(checkout: Checkout) -> None:
    checkout.drop("a.csv", "x,1,female")
    (checkout.data / "build.json").write_text("{")
    assert "something unforeseen happened (JSONDecodeError)" in one_line(
        checkout.perennial("publish"), 1
    )
    assert "Traceback" in (checkout.data / "logs" / "perennial.log").read_text()
