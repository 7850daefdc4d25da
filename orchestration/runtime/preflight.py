"""What must hold before a run starts; each check stops with one sentence."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import UserError
from orchestration.runtime.lock import BlockedError, check_free
from orchestration.runtime.paths import DataPaths

if TYPE_CHECKING:
    import duckdb

# A rebuild writes every table anew beside the old one, and publishing copies the marts.
ROOM_FOR_A_RUN = 3
LEAST_FREE_BYTES = 256 * 2**20
# dbt takes a moment to end after the run that started it was killed.
SECONDS_TO_WAIT = 1.5
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>[0-9]+)\)")


def check_data_root(paths: DataPaths) -> None:
    """Make the data root if it is missing; raises UserError where that cannot be done."""
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The data root {paths.root} cannot be made ({error.strerror}); set PERENNIAL_DATA to "
            "a folder that you may write to."
        ) from None


def check_landing(paths: DataPaths) -> None:
    """Something must have been dropped or landed before."""
    if has_nothing(paths):
        raise UserError(
            f"There is nothing to land: {paths.landing} holds no files; put files into "
            f"{paths.landing}/<channel>/<table>/, or run `perennial demo` for demo data."
        )


def check_landed(paths: DataPaths) -> None:
    """dbt reads what landing wrote."""
    if not paths.ledger.is_file():
        raise UserError(
            f"Nothing has been landed under {paths.root}; run `perennial land` first (or "
            "`perennial demo` before it, for demo data)."
        )


def check_disk(paths: DataPaths) -> None:
    """Refuse to start where the disk would fill up half way."""
    size = paths.warehouse.stat().st_size if paths.warehouse.is_file() else 0
    needed = max(ROOM_FOR_A_RUN * size, LEAST_FREE_BYTES)
    free = shutil.disk_usage(paths.root).free
    if free < needed:
        because = (
            f"{ROOM_FOR_A_RUN} times the {megabytes(size)} of the warehouse"
            if needed > LEAST_FREE_BYTES
            else "the least that is sensible"
        )
        raise BlockedError(
            f"The disk of {paths.root} has {megabytes(free)} free and a run needs "
            f"{megabytes(needed)} ({because}); free some space, or set PERENNIAL_DATA to a larger "
            "disk."
        )


def check_warehouse(paths: DataPaths) -> None:
    """Nobody else may hold the working database: DuckDB lets in one writer, or readers only."""
    if not paths.warehouse.is_file():
        return
    import duckdb

    end = time.monotonic() + SECONDS_TO_WAIT
    while True:
        try:
            duckdb.connect(str(paths.warehouse)).close()
            return
        except duckdb.Error as error:
            held = lock_error(str(error), paths)
            if held is None:
                raise _unreadable(paths) from None
            if time.monotonic() > end:
                raise held from None
        time.sleep(0.1)


@contextlib.contextmanager
def read_warehouse(paths: DataPaths) -> Iterator[duckdb.DuckDBPyConnection]:
    """The working database, read-only. Raises UserError where nothing was built, BlockedError
    while a run or somebody else holds it."""
    if not paths.warehouse.is_file():
        raise UserError(f"Nothing has been built under {paths.root}; run `perennial run` first.")
    import duckdb

    try:
        connection = duckdb.connect(str(paths.warehouse), read_only=True)
    except duckdb.Error as error:
        check_free(paths.lock)
        raise lock_error(str(error), paths) or _unreadable(paths) from None
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def lock_error(message: str, paths: DataPaths) -> BlockedError | None:
    """Who holds the working database, if `message` is DuckDB's complaint about that."""
    holder = _HOLDER.search(message)
    if not holder:
        return None
    program = Path(holder["program"]).name
    return BlockedError(
        f"The warehouse {paths.warehouse} is held open by {program} (process {holder['pid']}), "
        f"which is no run of perennial; close it there, and read {paths.published} instead."
    )


def megabytes(size: int) -> str:
    """A size in bytes for people: MB below one GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _unreadable(paths: DataPaths) -> BlockedError:
    return BlockedError(
        f"The warehouse {paths.warehouse} cannot be opened; move it away and run again: it is "
        "rebuilt from what has been landed."
    )


def has_nothing(paths: DataPaths) -> bool:
    """Nothing was dropped under landing/, now or ever."""
    if paths.ledger.is_file():
        return False
    landing = paths.landing
    return not (landing.is_dir() and any(entry.is_file() for entry in landing.rglob("*")))
