"""The ledger: one row for each file that landing has seen. Written last, so that only what is whole
counts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import UserError
from orchestration.runtime.durable import replacing

LANDED, SKIPPED, REFUSED = "landed", "skipped", "refused"
SCHEMA = pa.schema(
    [
        ("channel", pa.string()),
        ("table_name", pa.string()),
        ("file_name", pa.string()),
        ("file_sha", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("format", pa.string()),
        ("encoding", pa.string()),
        ("reader", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("remedy", pa.string()),
        ("line", pa.int64()),
        ("raw_count", pa.int64()),
        ("landed_count", pa.int64()),
        ("quarantined_count", pa.int64()),
        ("warning_count", pa.int64()),
        ("unknown_columns", pa.string()),
        ("landed_at", pa.timestamp("us")),
        ("run_id", pa.string()),
        ("contract_id", pa.string()),
    ]
)
# Rewriting the ledger after each of thousands of small files would cost more than landing them; a
# kill in between only means that the files of this half second land again.
SECONDS_BETWEEN_WRITES = 0.5


@dataclass(frozen=True)
class LedgerRow:
    """One file as landing saw it. Counts are None unless it landed."""

    channel: str
    table_name: str
    file_name: str
    status: str
    landed_at: datetime
    run_id: str
    file_sha: str | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    format: str | None = None
    encoding: str | None = None
    reader: str | None = None
    reason: str | None = None
    remedy: str | None = None
    line: int | None = None
    raw_count: int | None = None
    landed_count: int | None = None
    quarantined_count: int | None = None
    warning_count: int | None = None
    unknown_columns: str | None = None
    contract_id: str | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        """Channel, table and name: where the file lies."""
        return (self.channel, self.table_name, self.file_name)


class Ledger:
    """The rows of `$PERENNIAL_DATA/ledger/files.parquet`, kept in memory while landing runs."""

    def __init__(self, data_root: Path):
        self.path = data_root / "ledger" / "files.parquet"
        self._rows: dict[tuple[str, str, str], dict[str, LedgerRow]] = {}
        self._landed: dict[tuple[str, str, str], LedgerRow] = {}
        self._written_at = time.monotonic()
        self._is_dirty = False
        if self.path.is_file():
            try:
                table = pq.read_table(self.path)
            except (pa.ArrowException, OSError):
                raise UserError(
                    f"The ledger {self.path} is damaged; delete it and run landing again, "
                    "it is rebuilt from the files that are still under landing/."
                ) from None
            for row in table.to_pylist():
                self._add(LedgerRow(**row))

    @property
    def rows(self) -> list[LedgerRow]:
        """All rows in a fixed order."""
        rows = [row for versions in self._rows.values() for row in versions.values()]
        return sorted(rows, key=lambda row: (*row.place, row.file_sha or ""))

    def _add(self, row: LedgerRow) -> None:
        self._rows.setdefault(row.place, {})[row.file_sha or ""] = row
        if row.status == LANDED:
            self._landed[row.channel, row.table_name, row.file_sha or ""] = row

    def replace(self, row: LedgerRow) -> None:
        """Add a row in place of an older one of the same content under that name, and of a refusal
        of whatever lay there."""
        versions = self._rows.get(row.place, {})
        for sha in [sha for sha, old in versions.items() if old.status == REFUSED]:
            del versions[sha]
        self._add(row)
        self._is_dirty = True
        if time.monotonic() - self._written_at > SECONDS_BETWEEN_WRITES:
            self.write()

    def forget_refused(self, keep: Iterable[tuple[str, str, str]], channels: set[str]) -> None:
        """Drop refusals in these channels of entries that are not there any more."""
        there = set(keep)
        for place, versions in list(self._rows.items()):
            if place in there or place[0] not in channels:
                continue
            for sha in [sha for sha, row in versions.items() if row.status == REFUSED]:
                del versions[sha]
                self._is_dirty = True

    def at(self, place: tuple[str, str, str]) -> list[LedgerRow]:
        """The rows of one place: one for each content that was seen there."""
        return list(self._rows.get(place, {}).values())

    def landed_with(self, channel: str, table: str, sha: str) -> LedgerRow | None:
        """The row under which this content has landed in this table."""
        return self._landed.get((channel, table, sha))

    def write(self) -> None:
        """Write all rows durably."""
        with replacing(self.path) as temporary:
            pq.write_table(
                pa.Table.from_pylist([asdict(row) for row in self.rows], SCHEMA),
                temporary,
                compression="zstd",
            )
        self._written_at = time.monotonic()
        self._is_dirty = False

    def close(self) -> None:
        """Write what is not yet written; also the first, empty ledger."""
        if self._is_dirty or not self.path.is_file():
            self.write()
