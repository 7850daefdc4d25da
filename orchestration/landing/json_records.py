"""JSON lines to records: strict, digits kept, every line accounted for."""

from __future__ import annotations

import json
import json.scanner
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring

from orchestration.landing.contract import Table
from orchestration.landing.csv_records import GIANT, NUL_BYTE, UNDECODABLE, Bad, Good
from orchestration.landing.decode import BLANKS, MAX_RECORD_BYTES, LineReader
from orchestration.landing.refusal import Refused

BAD_JSON, NOT_AN_OBJECT, SEVERAL_OBJECTS = "bad_json", "not_an_object", "several_objects"
DUPLICATE_MEMBER, NOT_FINITE = "duplicate_member", "number_not_finite"
LONE_SURROGATE = "lone_surrogate"
# Names come from the data, so their number has no bound of its own.
MAX_UNKNOWN_NAMES = 1000
TOO_DEEP = "nested too deeply"


class Digits(str):
    """A JSON number, as its digits stand in the file."""


class Strange(ValueError):
    """A JSON text that is refused; `reason` is a quarantine reason."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def dump(value: object) -> str:
    """Write a parsed value as compact JSON text, numbers digit by digit."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(k)}:{dump(v)}" for k, v in value.items()) + "}"
    return "[" + ",".join(dump(item) for item in value) + "]"


class StrictJson:
    """Parses one JSON value a text. Raises Strange for anything doubtful."""

    def __init__(self) -> None:
        self._unique: set[tuple[str, ...]] = set()
        self._scan = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=Digits,
            parse_int=Digits,
            parse_constant=self._constant,
        ).scan_once

    def parse(self, text: str) -> object:
        """Return dict, list, str, Digits, bool or None."""
        start = 0 if text[:1] == "{" else len(text) - len(text.lstrip(BLANKS))
        try:
            value, end = self._scan(text, start)
        except json.JSONDecodeError as error:
            raise Strange(BAD_JSON, f"{error.msg} at column {error.pos + 1}") from None
        except StopIteration as stop:
            raise Strange(BAD_JSON, f"no value at column {stop.value + 1}") from None
        except RecursionError:
            raise Strange(BAD_JSON, TOO_DEEP) from None
        if end < len(text) and (rest := text[end:].lstrip(BLANKS)):
            detail = f"text after column {end}"
            raise Strange(SEVERAL_OBJECTS if rest[0] in "{[" else BAD_JSON, detail)
        if "\\u" in text:
            try:
                self._check_text(value)
            except RecursionError:
                raise Strange(BAD_JSON, TOO_DEEP) from None
        return value

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        names = tuple(members)
        if len(members) != len(pairs):
            raise Strange(DUPLICATE_MEMBER)
        if names not in self._unique:
            if len({name.lower() for name in names}) != len(names):
                raise Strange(DUPLICATE_MEMBER)
            if len(self._unique) > 10_000:
                self._unique.clear()
            self._unique.add(names)
        return members

    @staticmethod
    def _constant(name: str) -> object:
        raise Strange(NOT_FINITE)

    def _check_text(self, value: object) -> None:
        """Escapes can write what no valid text holds: half a surrogate pair, or a NUL."""
        if isinstance(value, str):
            if "\0" in value:
                raise Strange(NUL_BYTE)
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Strange(LONE_SURROGATE) from None
        elif isinstance(value, dict):
            for name, member in value.items():
                self._check_text(name)
                self._check_text(member)
        elif isinstance(value, list):
            for item in value:
                self._check_text(item)


@dataclass(frozen=True)
class Plan:
    """Where the members of an object go: a column's position, or None for an undeclared one.

    It is simple when each member has a column of its own.
    """

    positions: tuple[int | None, ...]
    is_simple: bool


class JsonReader:
    """Reads the records of one file of JSON lines.

    Members are matched by name without case; a nested object that is not declared is looked into,
    its members being known as parent_child or parent.child. Afterwards `seen` holds the declared
    columns that occurred, `unknown` the names of the other members, `lines_read` the lines covered.
    """

    def __init__(self, lines: LineReader, table: Table):
        self._lines = lines
        self._position = {column.name: i for i, column in enumerate(table.columns)}
        self._names = table.by_name
        self._table = table
        self._json = StrictJson()
        self._plans: dict[tuple[str, ...], Plan] = {}
        self.seen: set[str] = set()
        self.unknown: set[str] = set()
        self.lines_read = 0
        self.first_record = 0

    def blocks(self) -> Iterator[tuple[Good, list[Bad]]]:
        """Yield the records in file order, in blocks. Raises Refused for a JSON array."""
        for first, raws, texts in self._lines.blocks():
            good, bad = Good(len(self._position)), []
            for number, (raw, text) in enumerate(zip(raws, texts, strict=True), first):
                if text is not None and not text.strip(BLANKS):
                    continue
                try:
                    row, other, warning = self._record(raw, text)
                except Strange as strange:
                    if self.first_record == 0 and strange.reason != UNDECODABLE:
                        self._refuse_array(text, number)
                    bad.append(Bad(number, raw, strange.reason, strange.detail))
                    continue
                self.first_record = self.first_record or number
                good.add(number, row, warning)
                good.others.append(other)
            self.lines_read = first + len(raws) - 1
            yield good, bad
        missing = [name for name in self._table.required if name not in self.seen]
        if missing and self.first_record:
            raise Refused(
                f"required member '{missing[0]}' is in no record",
                f"export it, or declare the name it has now as an alias in "
                f"{self._table.declared_in}",
                self.first_record,
            )

    def _refuse_array(self, text: str | None, line: int) -> None:
        if text is not None and text.lstrip(BLANKS + "\ufeff").startswith("["):
            raise Refused(
                "the file is a JSON array", "write one object a line, without brackets", line
            )

    def _record(
        self, raw: bytes, text: str | None
    ) -> tuple[list[str | None], str | None, str | None]:
        if len(raw) > MAX_RECORD_BYTES:
            raise Strange(GIANT)
        if text is None:
            raise Strange(UNDECODABLE)
        if "\0" in text:
            raise Strange(NUL_BYTE)
        warning = None
        if text.startswith("\ufeff"):
            text, warning = text.lstrip("\ufeff"), "byte order mark inside the file"
        value = self._json.parse(text)
        if not isinstance(value, dict):
            raise Strange(NOT_AN_OBJECT)
        row: list[str | None] = [None] * len(self._position)
        try:
            plan = self._plan("", value)
            if plan.is_simple:
                for position, member in zip(plan.positions, value.values(), strict=True):
                    row[position] = member if member.__class__ is str else _text(member)
                return row, None, warning
            others: dict[str, str] = {}
            self._fill("", value, row, others, set())
        except RecursionError:
            raise Strange(BAD_JSON, TOO_DEEP) from None
        return row, dump(others) if others else None, warning

    def _fill(
        self,
        prefix: str,
        members: dict[str, object],
        row: list[str | None],
        others: dict[str, str],
        filled: set[int],
    ) -> None:
        plan = self._plan(prefix, members)
        for position, (name, member) in zip(plan.positions, members.items(), strict=True):
            if position is None:
                if isinstance(member, dict) and member:
                    self._fill(f"{prefix}{name}.", member, row, others, filled)
                elif member is not None:
                    path = f"{prefix}{name}".lower()
                    others[path] = _text(member) or ""
                    if len(self.unknown) < MAX_UNKNOWN_NAMES:
                        self.unknown.add(path)
            elif position in filled:
                raise Strange(DUPLICATE_MEMBER, "two members mean the same column")
            else:
                filled.add(position)
                row[position] = _text(member)

    def _plan(self, prefix: str, members: dict[str, object]) -> Plan:
        """Where each member goes; the same names come again and again."""
        key = (prefix, *members)
        plan = self._plans.get(key)
        if plan is None:
            positions: list[int | None] = []
            for name in members:
                path = f"{prefix}{name}".replace("\ufeff", "").strip().lower()
                column = self._names.get(path) or self._names.get(path.replace(".", "_"))
                positions.append(self._position[column] if column else None)
                if column:
                    self.seen.add(column)
            is_simple = None not in positions and len(set(positions)) == len(positions)
            plan = Plan(tuple(positions), is_simple)
            if len(self._plans) > 10_000:
                self._plans.clear()
            self._plans[key] = plan
        return plan


def _text(value: object) -> str | None:
    """A member's value as text; NULL is none, a number its digits."""
    if value is None:
        return None
    return str(value) if isinstance(value, str) else dump(value)
