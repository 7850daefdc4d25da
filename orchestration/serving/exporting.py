"""What exports share: the live version as tables to copy, and why a copy was not made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from orchestration.errors import UserError
from orchestration.runtime.paths import DataPaths
from orchestration.serving.reading import open_published


class NotExportedError(UserError):
    """The copy could not be made; whoever reads the last one keeps it."""

    exit_code = 1


@dataclass(frozen=True)
class Column:
    """A column with the type that DuckDB calls it."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True)
class Table:
    """A published table, or a view, which is copied as a table."""

    name: str
    comment: str | None
    columns: list[Column]


@dataclass(frozen=True)
class Live:
    """The live version, held open: it is read to its end even if another one is published."""

    connection: duckdb.DuckDBPyConnection
    version: str
    as_of: str | None
    tables: list[Table]


@dataclass(frozen=True)
class Exported:
    """A copy that readers see now; `rows` is 0 and `is_new` False where it was there already."""

    version: str
    as_of: str | None
    tables: int
    rows: int
    is_new: bool = True


@contextmanager
def live_version(paths: DataPaths) -> Iterator[Live]:
    """The live version with its tables by name.

    Raises UserError where nothing has been published or the file is damaged.
    """
    if not paths.published.is_file():
        raise UserError(
            f"There is nothing to export: {paths.published} does not exist; run `perennial run` "
            "first."
        )
    try:
        with open_published(paths.published) as connection:
            version, as_of = connection.execute(
                "select version_id, as_of from published_version"
            ).fetchone()
            yield Live(connection, version, as_of and as_of.isoformat(), _tables(connection))
    except duckdb.Error as error:
        raise NotExportedError(
            f"Nothing was exported: {paths.published} cannot be read, or the copy of it cannot be "
            f"written ({type(error).__name__}); see whether the disk is full, and whether "
            "`perennial status` can read the file."
        ) from None


def _tables(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    here = "database_name = 'published' and schema_name = 'main' and not internal"
    columns: dict[str, list[Column]] = {}
    for table, *column in connection.execute(
        f"select table_name, column_name, data_type, comment from duckdb_columns() where {here} "
        "order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append(Column(*column))
    found = connection.execute(
        f"""
        select table_name, comment from duckdb_tables() where {here}
        union all
        select view_name, comment from duckdb_views() where {here}
        order by 1
        """
    ).fetchall()
    return [Table(name, comment, columns[name]) for name, comment in found]
