"""Refusing a file: one line that names the file, the line, the reason and the remedy."""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """The file as a whole cannot be landed. Holds no value from the file's records."""

    def __init__(self, reason: str, remedy: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.line = line


@dataclass(frozen=True)
class RefusedFile:
    """A refused entry under landing/, as it is reported and written into the ledger."""

    channel: str
    table: str
    file_name: str
    reason: str
    remedy: str
    line: int | None = None

    @property
    def message(self) -> str:
        """One line for people: where, line, reason; remedy."""
        path = "/".join(part for part in (self.channel, self.table, self.file_name) if part)
        line = f" line {self.line}:" if self.line else ""
        return one_line(f"refused {path}:{line} {self.reason}; {self.remedy}")


def one_line(text: str) -> str:
    """Make control characters visible, so that a hostile file name cannot forge a second line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
