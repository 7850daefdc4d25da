"""The project's own files that landing reads: vars of dbt_project.yml and rows of seeds."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import UserError


def project_vars(project_dir: Path) -> Mapping[str, Any]:
    """Return the vars of dbt_project.yml. Raises UserError when the file cannot be read."""
    path = project_dir / "dbt_project.yml"
    try:
        return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("vars") or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}); mend it.") from None


@dataclass(frozen=True)
class SeedRow:
    """A row of a seed: trimmed text by column, and its number in the file, whose header is row 1.

    What it says of a mistake names the row and the column, never the text in it, which may be
    somebody's telephone number.
    """

    seed: str
    number: int
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def wrong(self, what: str) -> UserError:
        """The exception for a mistake in this row."""
        return UserError(f"seeds/{self.seed}.csv row {self.number}: {what}")

    def filled(self, column: str) -> str:
        """The text of a column; UserError when there is none."""
        if not self[column]:
            raise self.wrong(f"{column} is empty; fill it in.")
        return self[column]

    def one_of(self, column: str, allowed: Collection[str]) -> str:
        """The text of a column; UserError unless it is one of these."""
        if self[column] not in allowed:
            raise self.wrong(f"{column} must be {either(list(allowed), 'or')}.")
        return self[column]

    def count(self, column: str) -> int:
        """The whole number in a column; UserError unless it lies between 1 and 999999999."""
        if not re.fullmatch("[1-9][0-9]{0,8}", self[column]):
            raise self.wrong(f"{column} must be a whole number from 1 on.")
        return int(self[column])


def once(rows: Sequence[SeedRow], *columns: str) -> None:
    """Raise UserError when two rows have the same text in all of these columns."""
    first: dict[tuple[str, ...], int] = {}
    for row in rows:
        number = first.setdefault(tuple(row[column] for column in columns), row.number)
        if number != row.number:
            raise row.wrong(f"{either(columns, 'and')} must differ from row {number}.")


def either(words: Sequence[str], word: str) -> str:
    """Several words as in a sentence: a, b or c."""
    return f" {word} ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def seed_rows(
    project_dir: Path, seed: str, columns: Sequence[str], needed: bool = False
) -> list[SeedRow]:
    """Return the rows of a seed; [] when an optional seed is absent. Blank lines are left out.

    Raises UserError for a missing needed seed, one that is no UTF-8 or no CSV, a missing, unknown
    or repeated column, and a row with fewer or more fields than the header.
    """
    path, where = project_dir / "seeds" / f"{seed}.csv", f"seeds/{seed}.csv"
    if not path.is_file():
        if needed:
            raise UserError(f"{path} is missing; restore it from the repository.")
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = list(enumerate(csv.reader(handle, strict=True), 1))
    except UnicodeDecodeError:
        raise UserError(f"{where} is not UTF-8; save it as UTF-8.") from None
    except csv.Error:
        raise UserError(f"{where} is not CSV, probably by a quote left open; mend it.") from None
    header, *rows = [(n, [field.strip() for field in fields]) for n, fields in lines if fields] or [
        (1, [])
    ]
    _check_header(where, header[1], columns)
    found = [SeedRow(seed, n, dict(zip(header[1], fields, strict=False))) for n, fields in rows]
    for row, (_, fields) in zip(found, rows, strict=True):
        if len(fields) != len(columns):
            raise row.wrong(
                f"there are {len(fields)} fields under {len(columns)} columns; a field that has a "
                "comma needs quotes."
            )
    return found


def _check_header(where: str, header: Sequence[str], columns: Sequence[str]) -> None:
    for name in columns:
        if name not in header:
            raise UserError(f"{where} lacks the column {name}; add it.")
        if header.count(name) > 1:
            raise UserError(f"{where} has the column {name} twice; remove one.")
    for name in header:
        if name not in columns:
            raise UserError(
                f"{where} has the unknown column '{name}'; its columns are {', '.join(columns)}."
            )
