"""The steps of the pipeline as plain functions, called by Dagster's assets and the command line.

Each one fills in its line of progress and returns figures for Dagster.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.clv.schemas import forget_failure, write_empty, write_failure
from orchestration.errors import UserError
from orchestration.landing import land
from orchestration.landing.keys import load_key
from orchestration.runtime import dbt, preflight
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.progress import Log, Step
from orchestration.runtime.record import BuildRecord, fingerprint
from orchestration.runtime.settings import Settings
from orchestration.serving import versions
from orchestration.serving.audit import listing
from orchestration.serving.publish import publish
from orchestration.serving.report import write_report

MOST_LINES = 10


def land_files(
    paths: DataPaths, settings: Settings, channels: list[str], run_id: str, step: Step, log: Log
) -> dict[str, int]:
    """Land what is new under landing/; each refused file gets a line of its own."""
    preflight.check_landing(paths)
    write_empty(paths.clv)
    notes: list[str] = []
    key = load_key(paths.root, notes.append)
    result = land(
        paths.root,
        PROJECT_DIR,
        channels or None,
        key,
        run_id,
        lambda line: (log(line), step.tick(f"land      {line}")),
        enabled=settings.channels,
        fold_gmail=settings["fold_gmail"],
    )
    refused = [file.message for file in result.refused]
    if len(refused) > MOST_LINES:
        refused[MOST_LINES:] = [
            f"... {len(refused) - MOST_LINES} more: `perennial status` lists them"
        ]
    step.say(result.summary, *notes, *refused)
    return {
        "landed": result.landed,
        "refused": len(result.refused),
        "records": result.raw_count,
        "quarantined": result.quarantined_count,
    }


def before_build(paths: DataPaths, part: dbt.Part = dbt.WHOLE) -> None:
    """Look before dbt starts, and forget the last build: from here on the warehouse is unaudited.

    What the part before has found stays true while nobody else has written since.
    """
    preflight.check_landed(paths)
    preflight.check_disk(paths)
    preflight.check_warehouse(paths)
    record = BuildRecord.read(paths)
    kept = None
    if part == dbt.AFTER and record and record.warehouse == fingerprint(paths):
        kept = dbt.BEFORE.results(paths.target)
    for file in paths.target.glob(dbt.RESULTS):
        if file != kept:
            file.unlink()
    paths.build_record.unlink(missing_ok=True)


def after_build(
    paths: DataPaths,
    settings: Settings,
    run_id: str,
    messages: str,
    step: Step,
    part: dbt.Part = dbt.WHOLE,
) -> dict[str, Any]:
    """Judge a part of a build that has ended and record what the build is so far.

    Raises BuildFailedError in one sentence if it failed. Messages of dbt may hold values of the
    data, so they are read for what they complain about and never repeated.
    """
    sentence = dbt.rejected_input(messages) or preflight.lock_error(messages, paths)
    if sentence:
        raise sentence
    log = paths.target / "dbt.log"
    written = paths.target / "run_results.json"
    if not written.is_file():
        raise dbt.BuildFailedError(f"dbt could not start the build; see {log}.")
    written.rename(part.results(paths.target))
    outcome = dbt.read_outcome(paths.target)
    if messages and not outcome.failed:
        raise dbt.BuildFailedError(f"dbt ended with an error; see {log}.")
    BuildRecord(
        run_id=run_id,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        has_passed=outcome.has_passed,
        is_complete=outcome.is_complete,
        summary=outcome.summary(),
        as_of=_as_of(paths, outcome.as_of_relation),
        failed=outcome.failed,
        settings=dict(settings.values),
        warehouse=fingerprint(paths),
    ).write(paths)
    if not outcome.has_passed:
        raise dbt.BuildFailedError(
            f"The build failed in {listing(outcome.failed)} ({outcome.summary()}); nothing is "
            f"published, readers keep the last version. See {log}."
        )
    step.say(f"{outcome.summary()} in all" if part == dbt.AFTER else outcome.summary())
    return {kind: sum(counts.values()) for kind, counts in outcome.counts.items()}


def predict_values(paths: DataPaths, settings: Settings, step: Step, log: Log) -> dict[str, Any]:
    """Fit, backtest and predict from what the warehouse holds, unless that was done before.

    Models that fail stop nothing: the last predictions stay, and the failure is kept beside them
    until the day is answered. Messages may hold values of the data, so only those meant for people
    are repeated.
    """
    from orchestration.clv.config import ClvSettings
    from orchestration.clv.pipeline import refresh

    def tick(text: str) -> None:
        log(text)
        step.tick(f"predict   {text}")

    told = ClvSettings.of(settings.values)
    with preflight.read_warehouse(paths) as warehouse:
        as_of = warehouse.execute("select as_of from core.int_core__as_of").fetchone()[0]
        changes, prospects, subscriptions = (
            warehouse.table(".".join(place)) for place in dbt.FEATURES
        )
        try:
            run_id, is_new = refresh(
                changes, prospects, as_of, paths.clv, told, tick, subscriptions
            )
        except Exception as error:
            log(traceback.format_exc())
            reason = str(error) if isinstance(error, UserError) else type(error).__name__
            write_failure(paths.clv, as_of, reason)
            step.say(f"warning: the models failed ({reason}); the last predictions stay, if any")
            return {"failed": reason}
    forget_failure(paths.clv, as_of)
    step.say(f"run {run_id}" if is_new else f"run {run_id}, made before from the same facts")
    return {"model_run_id": run_id, "new": is_new}


def publish_marts(paths: DataPaths, run_id: str, step: Step) -> Mapping[str, int]:
    """Audit the build and publish it; returns the rows of each table."""
    published = publish(paths, run_id)
    manifest = published.manifest
    step.say(
        f"version {manifest.version} as of {manifest.as_of}: {_size(manifest)}",
        *(f"warning: {warning}" for warning in published.warnings),
    )
    return manifest.row_counts


def roll_back(paths: DataPaths, wanted: str | None, step: Step) -> None:
    """Make a kept version live again."""
    manifest = versions.roll_back(paths, wanted)
    step.say(
        f"version {manifest.version} as of {manifest.as_of} is live: {_size(manifest)}; the next "
        "run publishes a new one"
    )


def _size(manifest: versions.Manifest) -> str:
    counts = manifest.row_counts
    return f"{len(counts)} tables, {sum(counts.values()):,} rows"


def report_page(paths: DataPaths, step: Step) -> int:
    """Draw the report from the published file; returns its size in bytes."""
    write_report(paths)
    size = paths.report.stat().st_size
    step.say(f"{paths.report} ({preflight.megabytes(size)})")
    return size


def _as_of(paths: DataPaths, relation: str | None) -> str | None:
    """The day that the build stands for; None where the model that says it was not built."""
    if relation is None:
        return None
    with duckdb.connect(str(paths.warehouse), read_only=True) as connection:
        try:
            day = connection.execute(f"select as_of from {relation}").fetchone()
        except duckdb.CatalogException:
            return None
    return day[0].isoformat() if day and day[0] else None
