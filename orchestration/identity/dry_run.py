"""What the rules as they stand and the files that wait would do to customers, before it is done.

The identity layer is solved on a second data root that reads the landed files through links and
has a copy of the warehouse, so that it starts from what the last build left, as the next run would.
Nothing under the data root itself is written but its lock file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.errors import UserError
from orchestration.identity.changes import Changes, compare
from orchestration.landing import land
from orchestration.landing.keys import load_key
from orchestration.runtime import dbt, preflight
from orchestration.runtime.durable import make_private_dir
from orchestration.runtime.lock import run_lock
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.progress import Progress, Step
from orchestration.runtime.settings import Settings

# The identity layer, and the orders, so that what would move is said by the models themselves.
SELECTED = ("+bridge_customer_identifier", "+int_identity__rejected_edges", "+fct_order")
COMPARED = (
    "core.bridge_customer_identifier",
    "core.fct_order",
    "identity.int_identity__customer_ids",
    "identity.int_identity__rejected_edges",
)
READ_BY_DBT = ("landed", "quarantine", "clv")
MOST_LINES = 10
_PROGRESS = re.compile(r"(\d+) of (\d+) (OK|PASS|INSERT|CREATE)")


class DryRunError(UserError):
    """The identity layer could not be solved; nothing was changed."""

    exit_code = 1


def dry_run(paths: DataPaths, settings: Settings, run_id: str, progress: Progress) -> Changes:
    """Solve the identity layer beside the data root and say what differs from the last build.

    Raises UserError in one sentence where nothing was built yet, another run or program holds the
    data root, a rule or setting is bad, or the disk is too full.
    """
    if not paths.warehouse.is_file():
        raise _nothing_built(paths)
    with run_lock(paths.lock, run_id):
        _check_built(paths)
        preflight.check_disk(paths)
        notes: list[str] = []
        key = load_key(paths.root, notes.append)
        with _scratch(paths) as scratch:
            with progress.step("prepare") as step:
                _fill(scratch, paths)
                step.say(f"a copy of the last build, {_size(scratch.warehouse)}")
            with progress.step("land") as step:
                result = land(
                    scratch.root, PROJECT_DIR, None, key, run_id,
                    lambda line: step.tick(f"land      {line}"), enabled=settings.channels,
                )  # fmt: skip
                refused = [file.message for file in result.refused]
                if len(refused) > MOST_LINES:
                    refused[MOST_LINES:] = [f"... {len(refused) - MOST_LINES} more"]
                step.say(result.summary, *notes, *refused)
            with progress.step("solve") as step:
                _solve(scratch, settings, step)
            with progress.step("compare") as step:
                changes = compare(paths.warehouse, scratch.warehouse)
                step.say(f"nothing under {paths.root} was changed")
    return changes


def _check_built(paths: DataPaths) -> None:
    """The last build must have left what is compared, and nobody may hold the warehouse."""
    try:
        with duckdb.connect(str(paths.warehouse), read_only=True) as connection:
            tables = {
                row[0]
                for row in connection.execute(
                    "select table_schema || '.' || table_name from information_schema.tables"
                ).fetchall()
            }
    except duckdb.Error as error:
        raise preflight.lock_error(str(error), paths) or _nothing_built(paths) from None
    if not set(COMPARED) <= tables:
        raise _nothing_built(paths)


def _nothing_built(paths: DataPaths) -> UserError:
    return UserError(
        f"Nothing has been built under {paths.root} that a dry run could be compared with; run "
        "`perennial run` first."
    )


@contextlib.contextmanager
def _scratch(paths: DataPaths) -> Iterator[DataPaths]:
    """A private folder beside the data root, gone afterwards; what a killed dry run left, too."""
    beside = paths.root.parent
    place = beside if os.access(beside, os.W_OK) else Path(tempfile.gettempdir())
    prefix = f".{paths.root.name}.dry-run-"
    # The run lock is held, so whatever is there belongs to nobody.
    for leftover in place.glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    root = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        yield DataPaths(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _fill(scratch: DataPaths, paths: DataPaths) -> None:
    """Links to everything that is only read, copies of what landing and dbt write into.

    Landing replaces files by rename, so a link gives way and what it points to stays.
    """
    for folder in READ_BY_DBT:
        for path in sorted((paths.root / folder).rglob("*.parquet")):
            link = scratch.root / path.relative_to(paths.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    if paths.landing.is_dir():
        scratch.landing.symlink_to(paths.landing)
    vault = make_private_dir(scratch.root / "vault")
    known = paths.root / "vault" / "key_id"
    if known.is_file():
        shutil.copy2(known, vault / "key_id")
    if paths.ledger.is_file():
        scratch.ledger.parent.mkdir()
        shutil.copy2(paths.ledger, scratch.ledger)
    for ending in ("", ".wal"):
        file = paths.warehouse.with_name(paths.warehouse.name + ending)
        if file.is_file():
            shutil.copyfile(file, scratch.warehouse.with_name(file.name))


def _solve(scratch: DataPaths, settings: Settings, step: Step) -> None:
    """Seeds and models up to the identity layer and the orders, by dbt in a process of its own."""
    scratch.target.mkdir()
    given = ["--vars", json.dumps(settings.given)] if settings.given else []
    command = [
        str(dbt.EXECUTABLE), *dbt.FLAGS, "build", "--exclude-resource-type", "test", "unit_test",
        "--select", *SELECTED, *given,
    ]  # fmt: skip
    environment = dbt.environment(scratch) | {
        "DBT_TARGET_PATH": str(scratch.target),
        "DBT_LOG_PATH": str(scratch.target),
    }
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=PROJECT_DIR, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            said.append(line)
            if done := _PROGRESS.search(line):
                step.tick(f"solve     {done[1]} of {done[2]}")
    if process.returncode != 0:
        raise _failure("".join(said), scratch)
    outcome = dbt.read_outcome(scratch.target)
    models, seeds = (sum(outcome.counts[kind].values()) for kind in ("model", "seed"))
    step.say(f"{models} models, {seeds} seeds")


def _failure(messages: str, scratch: DataPaths) -> UserError:
    """What ended dbt, in one sentence. Only what the project itself says is repeated: a message of
    the database may hold values of the data."""
    if sentence := dbt.rejected_input(messages):
        return sentence
    results = scratch.target / "run_results.json"
    if not results.is_file():
        return DryRunError(f"The dry run could not start dbt: {dbt.one_line(messages)}")
    for result in json.loads(results.read_text(encoding="utf-8"))["results"]:
        message = result.get("message") or ""
        if result["status"] == "error" and message.startswith("Compilation Error"):
            return UserError(dbt.one_line(message.partition("\n")[2].partition("\n\n")[0]))
    failed = dbt.read_outcome(scratch.target).failed
    return DryRunError(
        f"The dry run failed in {', '.join(failed[:3]) or 'dbt'}; nothing was changed, and "
        "`perennial build` will fail there too and say more."
    )


def _size(file: Path) -> str:
    return preflight.megabytes(file.stat().st_size)
