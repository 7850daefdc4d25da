"""What a panel of the report is made of, and how it asks the published file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb


@dataclass(frozen=True)
class Chart:
    """One picture: its Vega-Lite specification and what it shows, for those who cannot see it.
    `note` is a sentence under it: how to read it."""

    title: str
    description: str
    spec: dict[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """The numbers of a panel as a table: headings, and rows of text. `is_open` shows it at once,
    `is_text` aligns all of it like words."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = "The figures as a table"
    is_open: bool = False
    is_text: bool = False


@dataclass(frozen=True)
class Panel:
    """One section of the page. A panel without charts says in `finding` why it is empty.

    A panel with `views` shows one of them at a time, whichever the reader picks by its title.
    `flag` is a sentence that nobody should miss, such as that the figures are old.
    """

    key: str
    title: str
    finding: str
    definition: str
    tables: Sequence[str]
    charts: Sequence[Chart] = ()
    figures: Figures | None = None
    views: Sequence[Panel] = ()
    flag: str = ""


@dataclass(frozen=True)
class Published:
    """An open published file and its one row `published_version`."""

    connection: duckdb.DuckDBPyConnection
    version: Mapping[str, Any]
    tables: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> Published:
        found = connection.execute("select table_name from duckdb_tables()").fetchall()
        row = rows_of(connection, "select * from published_version")[0]
        return cls(connection, row, frozenset(name for (name,) in found))

    @property
    def currency(self) -> str:
        return str(self.version["reporting_currency"])

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query, ready for JSON."""
        return rows_of(self.connection, sql, *parameters)

    def money(self, amount: float | None) -> str:
        """An amount in whole units of the reporting currency."""
        return "unknown" if amount is None else f"{self.currency} {amount:,.0f}"


def begin(key: str, title: str, definition: str, tables: Sequence[str]) -> Callable[..., Panel]:
    """A panel that waits for its finding, and for charts and figures if there are any."""

    def make(
        finding: str,
        pictures: Sequence[Chart] = (),
        figures: Figures | None = None,
        flag: str = "",
    ) -> Panel:
        return Panel(key, title, finding, definition, tables, pictures, figures, flag=flag)

    return make


def rows_if_there(
    published: Published, tables: Sequence[str], sql: str, *parameters: Any
) -> list[dict[str, Any]]:
    """The rows of a query, none where the published version lacks one of its tables."""
    if not published.tables.issuperset(tables):
        return []
    return published.rows(sql, *parameters)


def rows_of(
    connection: duckdb.DuckDBPyConnection, sql: str, *parameters: Any
) -> list[dict[str, Any]]:
    result = connection.execute(sql, list(parameters))
    names = [column[0] for column in result.description]
    return [dict(zip(names, map(plain, row), strict=True)) for row in result.fetchall()]


def plain(value: Any) -> Any:
    """A value as JSON knows it; a day as ISO text, which charts read as a moment."""
    if isinstance(value, Decimal):
        return float(value) if value % 1 else int(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


def share(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.1%}"
