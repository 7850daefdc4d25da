"""Read-only connections for whatever is shown to people: they reach the data root and nothing
else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb


def literal(value: str | Path) -> str:
    """A text as a SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def name(identifier: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def harden(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Confine a connection to reading under `folder`, for good."""
    for setting in (
        "TimeZone = 'UTC'",
        f"allowed_directories = [{literal(str(folder) + '/')}]",
        "enable_external_access = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


@contextmanager
def open_published(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only and hardened.

    It is attached to a database of its own: opened directly, a process in which somebody still has
    the last version open would be given that one.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(database)} as published (read_only)")
        connection.execute("use published")
        harden(connection, database.parent)
        yield connection


@contextmanager
def open_files(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database that may read files under `folder`."""
    with duckdb.connect() as connection:
        harden(connection, folder)
        yield connection
