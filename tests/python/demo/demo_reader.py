"""Readers of demo data that share no code with its writer."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.demo import generate


@dataclass(frozen=True)
class Demo:
    """A data root with demo data."""

    root: Path

    def truth(self, name: str) -> list[dict[str, Any]]:
        """Rows of a Parquet file of the truth."""
        relation = duckdb.sql(f"select * from read_parquet('{self.root}/truth/{name}.parquet')")
        columns = relation.columns
        return [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]

    def expectations(self) -> dict[str, Any]:
        """The totals that were planted."""
        return json.loads((self.root / "truth" / "expectations.json").read_text("utf-8"))

    def path(self, file: dict[str, Any]) -> Path:
        """Where a file of the truth lies."""
        return self.root / "landing" / file["channel"] / file["table_name"] / file["file_name"]

    def good_records(self, channel: str, table: str) -> Iterator[dict[str, Any]]:
        """Records of all landed files of a table, without the planted broken ones."""
        broken = {
            (row["file_name"], row["line"])
            for row in self.truth("broken_records")
            if (row["channel"], row["table_name"]) == (channel, table)
        }
        for file in self.truth("files"):
            if (file["channel"], file["table_name"], file["status"]) == (channel, table, "landed"):
                for line, record in read_records(self.path(file), file["encoding"]):
                    if (file["file_name"], line) not in broken:
                        yield record

    def newest(self, channel: str, table: str, key: str, age: str) -> dict[str, dict[str, Any]]:
        """The newest version of each record of a table, by key."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.good_records(channel, table):
            known = found.get(record[key])
            if known is None or record[age] > known[age]:
                found[record[key]] = record
        return found


def read_bytes(path: Path) -> bytes:
    """Content of a file, unzipped."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def read_records(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Physical first line (header = 1, Parquet: 1 for the first row) and fields of each record.

    Broken records come as they are, as far as they can be read at all.
    """
    if path.suffix == ".parquet":
        relation = duckdb.sql(f"select * from read_parquet('{path}')")
        columns = relation.columns
        for number, row in enumerate(relation.fetchall(), start=1):
            yield number, dict(zip(columns, row, strict=True))
        return
    text = read_bytes(path).decode({"utf-8": "utf-8-sig"}.get(encoding, encoding), errors="replace")
    if ".jsonl" in path.name:
        for number, line in enumerate(text.split("\n"), start=1):
            if line:
                try:
                    record = json.loads(line)
                except ValueError:
                    record = {}
                yield number, record if isinstance(record, dict) else {}
        return
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader)
    line = reader.line_num + 1
    for fields in reader:
        yield line, dict(zip(header, fields, strict=False))
        line = reader.line_num + 1


def make(root: Path, **arguments: Any) -> Demo:
    """Demo data in a new data root."""
    generate(root, **{"customers": 1000, "seed": 7, **arguments})
    return Demo(root)
