"""The header contract: columns are found by name, or the file is refused with a line that helps."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.landing.contract import Table
from orchestration.landing.csv_records import split_line
from orchestration.landing.refusal import Refused

LINES_SEARCHED_FOR_HEADER = 20
_OTHER_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


@dataclass(frozen=True)
class Header:
    """Where a file's columns go.

    `slots` has one entry per field of a record: the canonical name of a declared column, or the
    (lower-case) name of an unknown one; `unknown` holds the latter. `line` is the header's line.
    """

    slots: tuple[str, ...]
    unknown: tuple[str, ...]
    line: int = 1

    @property
    def width(self) -> int:
        """Fields of a record."""
        return len(self.slots)


def plain_name(name: str) -> str:
    """A column name as it is compared: trimmed, without case and byte order mark."""
    return name.replace("\ufeff", "").strip().lower()


def map_columns(names: Sequence[str], table: Table, line: int | None = 1) -> Header:
    """Match the names of a file against the declared ones.

    Raises Refused for two names that agree and for a missing required column.
    """
    slots: list[str] = []
    unknown: list[str] = []
    seen: dict[str, str] = {}
    for position, given in enumerate(names, 1):
        name = plain_name(given) or f"column_{position}"
        canonical = table.by_name.get(name)
        slot = canonical or name
        if slot in seen:
            shown = f"'{name}'" if seen[slot] == name else f"'{seen[slot]}' and '{name}'"
            raise Refused(
                f"two columns are called {shown}, which mean the same"
                if canonical
                else f"columns {slots.index(slot) + 1} and {position} have the same name",
                "rename or remove one of them in the export",
                line,
            )
        seen[slot] = name
        slots.append(slot)
        if canonical is None:
            unknown.append(slot)
    missing = [name for name in table.required if name not in seen]
    if missing:
        raise _missing(missing, slots, unknown, table, line)
    return Header(tuple(slots), tuple(unknown), line or 0)


def read_header(lines: Sequence[tuple[int, str | None]], table: Table) -> Header:
    """Find the header of a CSV file in its first non-blank lines, given as (number, text).

    Raises Refused naming what is wrong: no header, a preamble, another delimiter, an open quote,
    text that does not decode, names that are missing or agree.
    """
    if not lines:
        raise Refused("the file is empty", "deliver it again, with its header")
    number, text = lines[0]
    if text is None:
        raise Refused(
            f"the header is not valid {table.encoding}",
            f"export the file as {table.encoding}, or declare its encoding in {table.declared_in}",
            number,
        )
    if "\0" in text:
        raise Refused("the header holds a NUL byte", "export the file again as text", number)
    names = split_line(text, table.delimiter)
    if names is None:
        raise Refused("the header has a quote that does not fit", "export the file again", number)
    try:
        return map_columns(names, table, number)
    except Refused as refusal:
        raise _explain(refusal, lines, table) from None


def _explain(refusal: Refused, lines: Sequence[tuple[int, str | None]], table: Table) -> Refused:
    """Say more precisely why the first line is no header, if another reading of the file fits."""
    number, text = lines[0]
    for delimiter, spoken in _OTHER_DELIMITERS.items():
        if delimiter != table.delimiter and _fits(text, delimiter, table):
            declared = _OTHER_DELIMITERS.get(table.delimiter, f"'{table.delimiter}'")
            return Refused(
                f"the columns are separated by {spoken} but {declared} is declared",
                f"export with {declared}, or declare the delimiter in {table.declared_in}",
                number,
            )
    for later, candidate in lines[1:]:
        if _fits(candidate, table.delimiter, table):
            return Refused(
                f"the header stands in line {later}, after a preamble",
                "export without the lines above the header",
                number,
            )
    return refusal


def _fits(text: str | None, delimiter: str, table: Table) -> bool:
    names = split_line(text, delimiter) if text is not None else None
    if names is None or len(names) < 2:
        return False
    try:
        header = map_columns(names, table)
    except Refused:
        return False
    return len(header.unknown) < header.width


def _missing(
    missing: Sequence[str],
    slots: Sequence[str],
    unknown: Sequence[str],
    table: Table,
    line: int | None,
) -> Refused:
    """Never shows what stands in the file unless it nearly is a declared name: without a header,
    the first line is a record of somebody."""
    if len(unknown) == len(slots):
        return Refused(
            f"none of the declared columns of {table.channel}.{table.name} is there "
            "(no header, or another table's file)",
            f"deliver it with a header that has {', '.join(table.required)}",
            line,
        )
    reason = f"required column '{missing[0]}' is missing"
    if len(missing) > 1:
        reason = "required columns " + ", ".join(f"'{name}'" for name in missing) + " are missing"
    close = difflib.get_close_matches(missing[0].lower(), unknown, 1, 0.75)
    found = f" (there is '{close[0]}')" if close else ""
    return Refused(
        reason + found,
        f"export it, or declare the name it has now as an alias in {table.declared_in}",
        line,
    )
