"""From the bytes of a file to its physical lines: gzip verified, encoding as declared, no guessing.

`prepare` gives a plain file (unpacked if need be) and its codec. `scan` looks at the bytes cheaply
and says whether DuckDB's reader can be trusted with them. `LineReader` gives every physical line
with its raw bytes, and None as the text of a line that does not decode, so that one bad line costs
one record.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestration.landing.contract import Table
from orchestration.landing.refusal import Refused

BLOCK = 16 << 20
# Also DuckDB's own limit for a line. What is longer is quarantined, not cut.
MAX_RECORD_BYTES = 2 << 20
# A line is read no further than this: such a file has other line ends, or is no text.
MAX_LINE_BYTES = 64 << 20
UTF8_BOM = b"\xef\xbb\xbf"
BLANKS = " \t\r\x0b\x0c"


@dataclass(frozen=True)
class Plain:
    """A text file on disk: how to decode it, the bytes to skip at its start, its line end."""

    path: Path
    codec: str
    bom: int
    encoding: str
    newline: bytes

    @property
    def unit(self) -> int:
        """Bytes of one code unit."""
        return 2 if self.codec.startswith("utf-16") else 1


@dataclass(frozen=True)
class Scan:
    """What the bytes of a UTF-8 file tell.

    When it is clean, `lines` counts the non-blank lines and `delimiters` those outside quotes.
    """

    clean: bool
    lines: int = 0
    delimiters: int = 0
    crlf: bool = False


def unpack(path: Path, target: Path) -> None:
    """Unpack gzip into `target`, checking every member's CRC and length.

    Raises Refused for a truncated or damaged stream, or for bytes after its end.
    """
    try:
        with path.open("rb") as packed, target.open("wb") as plain:
            stream = zlib.decompressobj(wbits=31)
            started = False
            while block := packed.read(1 << 20):
                while block:
                    if stream.eof:
                        if not block.strip(b"\0"):
                            break
                        stream = zlib.decompressobj(wbits=31)
                    started = True
                    plain.write(stream.decompress(block))
                    block = stream.unused_data
            if not started or not stream.eof:
                raise Refused("the gzip stream ends too early", "deliver the whole file again")
    except zlib.error:
        raise Refused(
            "the gzip stream is damaged (its checksum or structure is wrong)",
            "deliver the file again",
        ) from None


def prepare(path: Path, table: Table) -> Plain:
    """Settle the codec of a plain text file from its declared encoding and its first bytes.

    Raises Refused when the file is empty or its first bytes contradict the declared encoding.
    """
    with path.open("rb") as handle:
        head = handle.read(64 << 10)
    declared = table.encoding
    utf16_bom = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(head[:2])
    if utf16_bom and (declared == "utf-16" or table.channel == "direct"):
        codec, bom, encoding = utf16_bom, 2, "utf-16"
    elif utf16_bom:
        raise Refused(
            f"the file is UTF-16 (by its byte order mark) but {declared} is declared",
            f"declare encoding: utf-16 in {table.declared_in} or export the file as {declared}",
            1,
        )
    elif declared == "utf-16":
        codec = "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
        bom, encoding = 0, "utf-16"
    else:
        bom = 3 if head.startswith(UTF8_BOM) else 0
        codec, encoding = declared, declared
        if bom and declared != "utf-8":
            raise Refused(
                f"the file is UTF-8 (by its byte order mark) but {declared} is declared",
                f"declare encoding: utf-8 in {table.declared_in} or export the file as {declared}",
                1,
            )
        first = head.split(b"\n", 1)[0]
        if first.count(b"\0") > len(first) // 4:
            raise Refused(
                f"the first line is full of NUL bytes, as in UTF-16, but {declared} is declared",
                f"declare encoding: utf-16 in {table.declared_in} or export the file as {declared}",
                1,
            )
    newline = b"\n"
    if codec.startswith("utf-16"):
        newline = "\n".encode(codec)
    elif b"\n" not in head and b"\r" in head and not _contains(path, b"\n"):
        newline = b"\r"
    return Plain(path, codec, bom, encoding, newline)


def _contains(path: Path, byte: bytes) -> bool:
    with path.open("rb") as handle:
        while block := handle.read(BLOCK):
            if byte in block:
                return True
    return False


def transcode(plain: Plain, target: Path) -> Plain | None:
    """Rewrite a file as UTF-8 for the fast path; None when a line does not decode."""
    if plain.newline == b"\r":
        return None
    with target.open("wb") as output:
        for block in _blocks(plain):
            try:
                output.write(block.decode(plain.codec).encode())
            except UnicodeError:
                return None
    return Plain(target, "utf-8", 0, plain.encoding, b"\n")


def scan(plain: Plain, delimiter: str) -> Scan:
    """Check the bytes of a UTF-8 file for whatever DuckDB's reader and ours might see differently.

    Clean means: one kind of line end, no blank line except at the end, no NUL, no byte order mark
    inside, no overlong line, and quotes only where they open and close a field within one line.
    Then a record is a line. (That it is valid UTF-8, DuckDB checks itself.)
    """
    lines = delimiters = newlines = returns = 0
    blocks = _blocks(plain)
    block = next(blocks, b"")
    while block:
        following = next(blocks, b"")
        body = block if following else block.rstrip(b"\r\n") + b"\n"
        returns_here = block.count(b"\r") if b"\r" in block else 0
        if returns_here and returns_here != block.count(b"\r\n"):
            return Scan(False)
        if not _is_clean(body, returns_here > 0):
            return Scan(False)
        delimiters_here = _count_delimiters(body, delimiter.encode())
        if delimiters_here is None:
            return Scan(False)
        lines_here = body.count(b"\n")
        lines += lines_here
        delimiters += delimiters_here
        newlines += lines_here if following else block.count(b"\n")
        returns += returns_here
        block = following
    return Scan(returns in (0, newlines), lines, delimiters, returns > 0)


def _is_clean(body: bytes, has_returns: bool) -> bool:
    if b"\0" in body or body.startswith((b"\n", b"\r\n")) or b"\n\n" in body:
        return False
    if (has_returns and b"\n\r\n" in body) or not _has_short_lines(body):
        return False
    return body.isascii() or UTF8_BOM not in body


def _has_short_lines(body: bytes) -> bool:
    """True when every stretch of half the limit holds a line end: then no line exceeds it."""
    step = MAX_RECORD_BYTES // 2
    return all(body.find(b"\n", at, at + step) >= 0 for at in range(0, len(body), step))


def _count_delimiters(body: bytes, delimiter: bytes) -> int | None:
    """Count the delimiters outside quotes; None when a quote does more than to open a field, close
    it, or stand doubled in one, or when a field in quotes crosses a line end."""
    if b'"' not in body:
        return body.count(delimiter)
    text = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(text == 34)
    if len(quotes) % 2 or (np.searchsorted(quotes, np.flatnonzero(text == 10)) % 2).any():
        return None
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, text[np.maximum(opening - 1, 0)], 10)
    doubled = np.concatenate(([False], opening[1:] == closing[:-1] + 1))
    if not ((before == delimiter[0]) | (before == 10) | doubled).all():
        return None
    after = text[closing + 1]
    doubled = np.concatenate((closing[:-1] + 1 == opening[1:], [False]))
    if not ((after == delimiter[0]) | (after == 10) | (after == 13) | doubled).all():
        return None
    delimiters = np.flatnonzero(text == delimiter[0])
    return int((np.searchsorted(quotes, delimiters) % 2 == 0).sum())


def _blocks(plain: Plain) -> Iterator[bytes]:
    """Blocks of whole lines; the last one may lack its line end.

    Raises Refused for a line over MAX_LINE_BYTES.
    """
    carry = b""
    with plain.path.open("rb") as handle:
        handle.seek(plain.bom)
        while block := handle.read(BLOCK):
            block = carry + block
            cut = _last_newline(block, plain)
            if cut:
                yield block[:cut]
            carry = block[cut:]
            if len(carry) > MAX_LINE_BYTES:
                raise Refused(
                    f"a line is longer than {MAX_LINE_BYTES >> 20} MB",
                    "check the line ends of the export",
                )
    if carry:
        yield carry


def _last_newline(block: bytes, plain: Plain) -> int:
    """Offset after the last line end, 0 when there is none."""
    at = block.rfind(plain.newline)
    while at >= 0 and at % plain.unit:
        at = block.rfind(plain.newline, 0, at + plain.unit - 1)
    return at + plain.unit if at >= 0 else 0


@dataclass
class LineReader:
    """Physical lines of a file in blocks of (first line number, raw lines, texts)."""

    plain: Plain

    def blocks(self) -> Iterator[tuple[int, list[bytes], list[str | None]]]:
        """Yield blocks; a raw line has no line end (but its \\r), a text neither.

        The text of a line that does not decode is None.
        """
        number = 1
        for block in _blocks(self.plain):
            raws = self._split(block)
            yield number, raws, self._decode(block, raws)
            number += len(raws)

    def _split(self, block: bytes) -> list[bytes]:
        plain = self.plain
        if plain.unit == 1:
            raws = block.split(plain.newline)
        else:
            units = np.frombuffer(block[: len(block) // 2 * 2], "<u2" if self._is_le else ">u2")
            raws, start = [], 0
            for end in (np.flatnonzero(units == 10) * 2).tolist():
                raws.append(block[start:end])
                start = end + 2
            raws.append(block[start:])
        if not raws[-1]:
            raws.pop()
        return raws

    @property
    def _is_le(self) -> bool:
        return self.plain.codec.endswith("le")

    def _decode(self, block: bytes, raws: list[bytes]) -> list[str | None]:
        newline = "\r" if self.plain.newline == b"\r" else "\n"
        try:
            texts: list[str | None] = list(block.decode(self.plain.codec).split(newline))
            if texts[-1] == "":
                texts.pop()
        except UnicodeError:
            texts = [self._decode_line(raw) for raw in raws]
        if b"\r" not in block:
            return texts
        return [t[:-1] if t is not None and t.endswith("\r") else t for t in texts]

    def _decode_line(self, raw: bytes) -> str | None:
        try:
            return raw.decode(self.plain.codec)
        except UnicodeError:
            return None


def count_lines(plain: Plain) -> tuple[int, int]:
    """Count physical lines and the non-blank ones, by another way than the readers go."""
    total = filled = 0
    with plain.path.open("rb") as handle:
        handle.seek(plain.bom)
        if plain.newline == b"\n":
            for line in handle:
                total += 1
                filled += bool(line.strip(BLANKS.encode() + b"\n"))
            return total, filled
    end = "\r" if plain.newline == b"\r" else "\n"
    for block in _blocks(plain):
        pieces = block.decode(plain.codec, errors="replace").split(end)
        total += len(pieces) - (not pieces[-1])
        filled += sum(bool(piece.strip(BLANKS)) for piece in pieces)
    return total, filled
