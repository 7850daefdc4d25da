"""One screen about a data root: files, quarantine, the last version, reconciliation."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from typing import Any

import duckdb

from orchestration.runtime.paths import DataPaths
from orchestration.runtime.record import BuildRecord
from orchestration.runtime.settings import project_version
from orchestration.serving import identity, predictions
from orchestration.serving.panel import rows_of
from orchestration.serving.reading import literal, open_files, open_published

MOST_LINES = 10


def status_screen(paths: DataPaths) -> str:
    """The screen as text. It reads the published file and the ledger, so it works during a run."""
    lines = [
        f"perennial {project_version()}, data root {paths.root}",
        "",
        _line("Published", _published(paths)),
        _line("Last build", _last_build(paths)),
    ]
    if runner := _running(paths):
        lines.append(_line("Running", runner))
    lines += ["", *_files(paths)]
    if paths.published.is_file():
        with open_published(paths.published) as connection:
            tables = {
                name
                for (name,) in connection.execute(
                    "select table_name from duckdb_tables()"
                ).fetchall()
            }
            if "data_quality_reasons" in tables:
                lines += _quarantine(connection)
            lines += _reconciliation(connection)
            if identity.TABLE in tables:
                newest = rows_of(connection, identity.NEWEST)
                lines.append(_line("Identity", identity.sentence(newest)))
            if predictions.RUNS in tables:
                lines.append(_line("Predicted", _predicted(connection)))
    else:
        lines += [_line("Quarantine", "known after the first published run")]
    return "\n".join(lines)


def _published(paths: DataPaths) -> str:
    if not paths.published.is_file():
        return "nothing yet"
    with open_published(paths.published) as connection:
        version, as_of, moment = connection.execute(
            "select version_id, as_of, published_at from published_version"
        ).fetchone()
    kept = len(list(paths.versions.glob("*.duckdb")))
    return f"version {version} as of {as_of}, at {moment:%Y-%m-%d %H:%M} UTC; {kept} versions kept"


def _last_build(paths: DataPaths) -> str:
    record = BuildRecord.read(paths)
    if record is None:
        return "none has ended since the last one began"
    verdict = "passed" if record.has_passed else f"failed in {', '.join(record.failed[:3])}"
    return f"{verdict} at {record.finished_at[:16]} (run {record.run_id}): {record.summary}"


def _running(paths: DataPaths) -> str | None:
    """Who holds the run lock, if anybody does."""
    if not paths.lock.is_file():
        return None
    with paths.lock.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = json.loads(file.read() or "{}")
            run, process = holder.get("run_id"), holder.get("pid")
            return f"run {run} in process {process} since {holder.get('started_at')}"
    return None


def _files(paths: DataPaths) -> list[str]:
    if not paths.ledger.is_file():
        return [_line("Files", "none landed yet")]
    with open_files(paths.ledger.parent) as connection:
        ledger = f"read_parquet({literal(paths.ledger)})"
        rows = connection.execute(
            f"""
            select
                channel, count(*) filter (where status = 'landed'), count(*) filter (where status =
                    'skipped'),
                count(*) filter (where status = 'refused'),
                coalesce(sum(raw_count) filter (where status = 'landed'), 0),
                coalesce(sum(landed_count) filter (where status = 'landed'), 0),
                coalesce(sum(quarantined_count) filter (where status = 'landed'), 0)
            from {ledger} group by channel order by channel
            """
        ).fetchall()
        refused = connection.execute(
            f"""
            select concat_ws('/', nullif(channel, ''), nullif(table_name, ''), nullif(file_name,
                '')),
                line, reason, remedy
            from {ledger} where status = 'refused' order by all
            """
        ).fetchall()
    heading = ("Files", "landed", "repeated", "refused", "records", "kept", "unreadable")
    lines = [*_columns(heading, rows), ""]
    for place, line, reason, remedy in refused[:MOST_LINES]:
        where = f"{place} line {line}" if line else place
        lines.append(_line("Refused", _printable(f"{where}: {reason}; {remedy}")))
    if len(refused) > MOST_LINES:
        lines.append(_line("", f"... and {len(refused) - MOST_LINES} more in {paths.ledger}"))
    return lines + ([""] if refused else [])


def _quarantine(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select channel || '/' || table_name as place, reason, "
        "sum(record_count)::bigint as records "
        "from data_quality_reasons group by all "
        "order by records desc, place, reason"
    ).fetchall()
    if not rows:
        return [_line("Quarantine", "empty in the published version"), ""]
    lines = _columns(("Quarantine", "reason", "records"), rows[:MOST_LINES])
    if len(rows) > MOST_LINES:
        rest = sum(row[2] for row in rows[MOST_LINES:])
        lines.append(
            _line("", f"... and {rest:,} records for {len(rows) - MOST_LINES} more reasons")
        )
    return [*lines, ""]


def _predicted(connection: duckdb.DuckDBPyConnection) -> str:
    as_of = connection.execute("select as_of from published_version").fetchone()[0]
    found, flaw = predictions.find(connection, predictions.RUNS, as_of)
    return f"{found}; OLD: {flaw}" if flaw else found


def _reconciliation(connection: duckdb.DuckDBPyConnection) -> list[str]:
    files, differing, *counts = connection.execute(
        """
        select
            count(*), count(*) filter (where difference_records <> 0), coalesce(sum(raw_records),
                0),
            coalesce(sum(loaded_records), 0), coalesce(sum(quarantined_records), 0),
            coalesce(sum(duplicate_records), 0), coalesce(sum(superseded_records), 0)
        from reconciliation_files
        """
    ).fetchone()
    raw, loaded, quarantined, duplicate, superseded = (f"{count:,}" for count in counts)
    verdict = "every file adds up" if not differing else f"{differing} FILES DO NOT ADD UP"
    text = (
        f"{files} files: {raw} raw = {loaded} loaded + {quarantined} quarantined + {duplicate} "
        f"duplicate + {superseded} superseded; {verdict}"
    )
    return [_line("Reconciled", text)]


def _line(name: str, text: str) -> str:
    return f"{name:<12}{text}"


def _columns(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A table: the first column left, numbers right."""
    shown = [
        [f"{cell:,}" if isinstance(cell, int) else _printable(str(cell)) for cell in row]
        for row in rows
    ]
    table = [list(heading), *shown]
    widths = [max(len(row[place]) for row in table) for place in range(len(heading))]
    numeric = [bool(rows) and isinstance(cell, int) for cell in (rows[0] if rows else heading)]
    return [
        "  ".join(
            f"{cell:>{width}}" if is_number else f"{cell:<{max(width, 10)}}"
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in table
    ]


def _printable(text: str) -> str:
    """A file name may hold anything; the terminal gets no control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
