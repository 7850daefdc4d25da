"""One writer at a time on a data root. The lock is the kernel's, so a killed run leaves none
behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import UserError

_held: dict[Path, str] = {}


class BlockedError(UserError):
    """Nothing is wrong with the request, it only cannot start now (locked, disk full)."""

    exit_code = 1


@contextlib.contextmanager
def run_lock(path: Path, run_id: str) -> Iterator[None]:
    """Hold the lock file at `path` for the run `run_id`; the file tells others who holds it.

    A run that holds the lock already (the command line took it before it started Dagster) passes.
    Raises BlockedError that names the other run and its process.
    """
    if _held.get(path) == run_id:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockedError(_who(path)) from None
        file.seek(0)
        file.truncate()
        started = datetime.now(UTC).isoformat(timespec="seconds")
        json.dump({"run_id": run_id, "pid": os.getpid(), "started_at": started}, file)
        file.flush()
        _held[path] = run_id
        try:
            yield
        finally:
            del _held[path]
            file.truncate(0)


def check_free(path: Path) -> None:
    """Raise BlockedError that names the run which holds the lock file at `path`, if one does."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockedError(_who(path)) from None


def _who(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        name = f"Run {holder['run_id']} (process {holder['pid']}, since {holder['started_at']})"
    except (OSError, ValueError, KeyError):
        name = "Another run"
    return f"{name} is working on {path.parent}; wait until it ends, or stop that process."
