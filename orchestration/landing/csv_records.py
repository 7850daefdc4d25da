"""The slow path for CSV: physical lines to records, every line accounted for.

A record is one line, or several when a quoted field holds line ends. A quote that is never closed,
or that would swallow a line which is a whole record by itself, spoils only the line it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestration.landing.decode import BLANKS, MAX_RECORD_BYTES, LineReader

MAX_LINES_OF_A_RECORD = 1000

UNDECODABLE, NUL_BYTE, GIANT = "undecodable_line", "nul_byte", "giant_record"
OPEN_QUOTE, BAD_QUOTE = "open_quote", "bad_quote"
SHORT_ROW, LONG_ROW = "short_row", "long_row"
REPEATED_HEADER, FOOTER = "repeated_header", "footer"
INNER_BOM = "byte order mark inside the file"

_FOOTER = re.compile(
    r"(?:grand |sub)?-?totals?|sums?|总计|合计|小计|共计|總計|合計|小計"
    r"|\(?[0-9]+ (?:rows?|records?)(?: (?:affected|selected|exported|returned))?\)?"
    r"|end of (?:file|report|export)|eof|\x1a",
    re.IGNORECASE,
)
# Cheap first look: the first field is empty, or begins as a footer does.
_HINT = re.compile(
    r"[ \t\r:：#*-]*(?:grand|sub|total|sum|总|合|小|共|總|\(?[0-9]+ r|end of|eof|\x1a|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Bad:
    """A record that cannot be landed: its bytes, why, and its fields as far as they go."""

    line: int
    raw: bytes
    reason: str
    detail: str = ""
    fields: list[str] | None = None


@dataclass
class Good:
    """A block of readable records of one width, their values one after the other.

    `warnings` are by the record's place in the block; `others` is undeclared members as JSON text,
    where the format knows them.
    """

    width: int
    lines: list[int] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)
    others: list[str | None] = field(default_factory=list)
    warnings: dict[int, str] = field(default_factory=dict)

    def add(self, line: int, values: Sequence[str | None], warning: str | None) -> None:
        """Append one record."""
        if warning:
            self.warnings[len(self.lines)] = warning
        self.lines.append(line)
        self.values.extend(values)

    @property
    def columns(self) -> list[list[str | None]]:
        """The values by column."""
        return [self.values[i :: self.width] for i in range(self.width)]


_FOOTER_BEGINS = "\ufeff:：#*-(gGsStTeE总合小共總\x1a"


def split_line(text: str, delimiter: str) -> list[str] | None:
    """Split one complete record into its fields; None when its quotes are not well formed.

    A quote opens a field only as its first character; elsewhere in an unquoted field it is text.
    """
    if '"' not in text:
        return text.split(delimiter)
    fields, state = _split_quoted(text, delimiter)
    return fields if state is None else None


def _split_quoted(text: str, delimiter: str) -> tuple[list[str], str | None]:
    """Fields, and OPEN_QUOTE or BAD_QUOTE when the text is not a well-formed record."""
    fields = []
    at, end = 0, len(text)
    while True:
        if text.startswith('"', at):
            close = text.find('"', at + 1)
            while close >= 0 and text.startswith('"', close + 1):
                close = text.find('"', close + 2)
            if close < 0:
                return fields, OPEN_QUOTE
            fields.append(text[at + 1 : close].replace('""', '"'))
            at = close + 1
            if at < end and text[at] != delimiter:
                return fields, BAD_QUOTE
        else:
            stop = text.find(delimiter, at)
            stop = end if stop < 0 else stop
            fields.append(text[at:stop])
            at = stop
        if at >= end:
            return fields, None
        at += 1


def is_footer(fields: list[str], width: int) -> bool:
    """True for a record such as `Total,,123.45`: its first filled field is a footer's word, and it
    is not filled like a record. It counts as a footer only when no record follows."""
    first = next((field for field in fields if field), "")
    if _FOOTER.fullmatch(first.strip(" \t\r:：#-*")) is None:
        return False
    return len(fields) != width or not all(fields)


class CsvReader:
    """Reads the records after the header of one file.

    Afterwards `lines_read` tells how many physical lines it covered, and `continuation_lines` how
    many non-blank ones lay inside records that began earlier.
    """

    def __init__(self, lines: LineReader, delimiter: str, names: list[str], header_line: int):
        plain = lines.plain
        self._source = lines.blocks()
        self._newline = plain.newline
        self._return = "\r".encode(plain.codec)
        self._delimiter = delimiter
        self._names = [_plain(name) for name in names]
        self._width = len(names)
        self._header_line = header_line
        # First characters of lines that may be no records: blank, footer, mark; and of the header.
        self._watched = {"", *BLANKS, *_FOOTER_BEGINS, delimiter}
        self._begins = {self._names[0][:1], self._names[0][:1].upper()}
        self._first = 1
        self._raws: list[bytes] = []
        self._texts: list[str | None] = []
        self._held: list[tuple[int, bytes, list[str], str | None]] = []
        self.lines_read = 0
        self.continuation_lines = 0

    def blocks(self) -> Iterator[tuple[Good, list[Bad]]]:
        """Yield the records in file order, in blocks."""
        while self._next_block():
            good, bad = Good(self._width), []
            at = max(0, self._header_line + 1 - self._first)
            while at < len(self._texts):
                at = self._take_plain(at, good)
                if at < len(self._texts):
                    at += self._take(at, good, bad)
            self.lines_read = self._first + len(self._texts) - 1
            yield good, bad
        footers = [Bad(line, raw, FOOTER, "", fields) for line, raw, fields, _ in self._held]
        yield Good(self._width), footers

    def _take_plain(self, at: int, good: Good) -> int:
        """Take a run of lines that are good records beyond doubt; return where it ends."""
        if self._held:
            return at
        texts, raws, start, end = self._texts, self._raws, at, len(self._texts)
        delimiter, delimiters, watched = self._delimiter, self._width - 1, self._watched
        header, header_length, header_begins = self._names[0], len(self._names[0]), self._begins
        while at < end:
            text = texts[at]
            if text is None or '"' in text or "\0" in text or text.count(delimiter) != delimiters:
                break
            first = text[:1]
            if first in watched or len(raws[at]) > MAX_RECORD_BYTES:
                break
            if first in header_begins and text[:header_length].lower() == header:
                break
            if first.isdigit() and _HINT.match(text):
                break
            at += 1
        if at > start:
            good.lines.extend(range(self._first + start, self._first + at))
            good.values.extend(delimiter.join(self._texts[start:at]).split(delimiter))
        return at

    def _take(self, at: int, good: Good, bad: list[Bad]) -> int:
        """Sort the record that begins at `at` into good, bad or held; return its physical lines."""
        number, text, raw = self._first + at, self._texts[at], self._raws[at]
        if text is not None and not text.strip(BLANKS):
            return 1
        fields, fault, used, warning = self._record(at)
        if used > 1:
            raw = self._newline.join(self._raws[at : at + used])
        if fault is None and _HINT.match(fields[0]) and is_footer(fields, self._width):
            self._held.append((number, raw, fields, warning))
            return used
        if self._held:
            self._release(good, bad)
        self._sort(number, raw, fields, fault, warning, good, bad)
        return used

    def _release(self, good: Good, bad: list[Bad]) -> None:
        """What looked like a footer but has records after it is an ordinary record."""
        for line, raw, fields, warning in self._held:
            self._sort(line, raw, fields, None, warning, good, bad)
        self._held.clear()

    def _sort(
        self,
        line: int,
        raw: bytes,
        fields: list[str],
        fault: str | None,
        warning: str | None,
        good: Good,
        bad: list[Bad],
    ) -> None:
        if fault is not None:
            bad.append(Bad(line, raw, fault, "", fields))
        elif len(fields) != self._width:
            reason = SHORT_ROW if len(fields) < self._width else LONG_ROW
            detail = f"{len(fields)} fields, expected {self._width}"
            bad.append(Bad(line, raw, reason, detail, fields))
        else:
            good.add(line, fields, warning)

    def _record(self, at: int) -> tuple[list[str], str | None, int, str | None]:
        """Fields, fault, physical lines used and warning of the record that begins at `at`."""
        text, warning = self._texts[at], None
        if len(self._raws[at]) > MAX_RECORD_BYTES:
            return [], GIANT, 1, None
        if text is None:
            return [], UNDECODABLE, 1, None
        if "\0" in text:
            return [], NUL_BYTE, 1, None
        if text.startswith("\ufeff"):
            text, warning = text.lstrip("\ufeff"), INNER_BOM
        used = 1
        if '"' in text:
            fields, fault = _split_quoted(text, self._delimiter)
            if fault == OPEN_QUOTE:
                fields, fault, used = self._open_record(at, text)
            if fault is not None:
                return fields, fault, used, None
        else:
            fields = text.split(self._delimiter)
        if _plain(fields[0]) == self._names[0] and [_plain(f) for f in fields] == self._names:
            return fields, REPEATED_HEADER, used, None
        return fields, None, used, warning

    def _open_record(self, at: int, text: str) -> tuple[list[str], str | None, int]:
        """Follow an open quote over the next lines as far as they make one well-formed record."""
        parts = [text + self._lost_return(at)]
        size = len(self._raws[at])
        failed = (_split_quoted(text, self._delimiter)[0], OPEN_QUOTE, 1)
        for following in range(at + 1, at + MAX_LINES_OF_A_RECORD):
            if following >= len(self._texts) and not self._extend():
                return failed
            line = self._texts[following]
            size += len(self._raws[following])
            if line is None or "\0" in line or size > MAX_RECORD_BYTES:
                return failed
            if '"' in line:
                whole = "\n".join([*parts, line])
                fields, fault = _split_quoted(whole, self._delimiter)
                if fault is None:
                    if len(fields) != self._width:
                        return failed
                    inner = range(at + 1, following + 1)
                    self.continuation_lines += sum(
                        bool((self._texts[i] or "").strip(BLANKS)) for i in inner
                    )
                    return fields, None, following - at + 1
                if fault == BAD_QUOTE:
                    return failed
            parts.append(line + self._lost_return(following))
            # A whole record inside the quotes means that the quote has swallowed it.
            alone = split_line(line, self._delimiter)
            if alone is not None and len(alone) == self._width and self._width > 1:
                return failed
        return failed

    def _lost_return(self, at: int) -> str:
        """The carriage return that a text lost with its line end but a quoted field keeps."""
        return "\r" if self._raws[at].endswith(self._return) else ""

    def _next_block(self) -> bool:
        self._first += len(self._texts)
        block = next(self._source, None)
        if block is None:
            self._raws, self._texts = [], []
            return False
        self._first, self._raws, self._texts = block
        return True

    def _extend(self) -> bool:
        """Append the next block to the current one, for a record that crosses their border."""
        block = next(self._source, None)
        if block is None:
            return False
        self._raws += block[1]
        self._texts += block[2]
        return True


def _plain(name: str) -> str:
    return name.replace("\ufeff", "").strip().lower()
