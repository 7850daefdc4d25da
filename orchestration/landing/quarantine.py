"""Quarantine: what dbt may see of a record that could not be read, and its bytes in the vault."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.contract import Table
from orchestration.landing.csv_records import Bad
from orchestration.landing.tokens import Tokeniser
from orchestration.runtime.durable import replacing

SEEN = pa.schema(
    [
        ("channel", pa.string()),
        ("table_name", pa.string()),
        ("file_sha", pa.string()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("row_key", pa.string()),
    ]
)
RAW = pa.schema([("file_sha", pa.string()), ("line", pa.int64()), ("raw", pa.binary())])
_BATCH = 5_000


class Quarantine:
    """Collects the bad records of one file and writes both Parquet files when it is done."""

    def __init__(self, data_root: Path, table: Table, sha: str, tokeniser: Tokeniser):
        place = Path(table.channel) / table.name / f"{sha}.parquet"
        self._targets = (
            data_root / "vault" / "quarantine" / place,
            data_root / "quarantine" / place,
        )
        self._table, self._sha, self._tokeniser = table, sha, tokeniser
        self._batch: list[tuple[Bad, str | None]] = []
        self._stack = ExitStack()
        self._writers: list[pq.ParquetWriter] = []
        self.reasons: Counter[str] = Counter()

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)

    def add(self, bad: Bad, key_values: list[str | None]) -> None:
        """Take a bad record; `key_values` are those of the table's key columns, if readable."""
        row_key = None
        if key_values and all(key_values):
            text = "|".join(key_values)
            row_key = self._tokeniser.row_key(self._table.channel, self._table.name, text)
        self._batch.append((bad, row_key))
        self.reasons[bad.reason] += 1
        if len(self._batch) >= _BATCH:
            self._flush()

    @property
    def count(self) -> int:
        """Records so far."""
        return self.reasons.total()

    def finish(self) -> None:
        """Put the files into place, or remove those of an earlier landing when nothing is bad."""
        self._flush()
        for writer in self._writers:
            writer.close()
        self._stack.close()
        if not self._writers:
            for target in self._targets:
                target.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._batch:
            return
        if not self._writers:
            for target, schema, private in zip(
                self._targets, (RAW, SEEN), (True, False), strict=True
            ):
                path = self._stack.enter_context(replacing(target, private))
                writer = pq.ParquetWriter(path, schema, compression="zstd")
                self._stack.callback(writer.close)
                self._writers.append(writer)
        bads = [bad for bad, _ in self._batch]
        shas = [self._sha] * len(bads)
        lines = [bad.line for bad in bads]
        raw = {"file_sha": shas, "line": lines, "raw": [bad.raw for bad in bads]}
        seen = {
            "channel": [self._table.channel] * len(bads),
            "table_name": [self._table.name] * len(bads),
            "file_sha": shas,
            "line": lines,
            "reason": [bad.reason for bad in bads],
            "detail": [bad.detail or None for bad in bads],
            "row_key": [row_key for _, row_key in self._batch],
        }
        for writer, values, schema in zip(self._writers, (raw, seen), (RAW, SEEN), strict=True):
            writer.write_table(pa.table(values, schema=schema))
        self._batch.clear()


def write_none(data_root: Path) -> None:
    """Write the zero-row file that lets dbt read quarantine when nothing was ever quarantined."""
    target = data_root / "quarantine" / "_none" / "_none" / "_empty.parquet"
    if not target.is_file():
        with replacing(target) as temporary:
            pq.write_table(SEEN.empty_table(), temporary)
