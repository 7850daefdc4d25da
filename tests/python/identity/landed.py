"""Landed files made by hand, for tests that look at the models and not at landing."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

PROJECT = Path(__file__).parents[3]
TECHNICAL = {"ids": pa.string(), "_warnings": pa.string(), "_file_sha": pa.string(), "_line": pa.int64()}
RULES = {
    "blocklist": ["id_type", "id_scope", "id_value", "reason"],
    "manual_link": [
        "action", "left_type", "left_scope", "left_token", "right_type", "right_scope", "right_token",
        "author", "reason", "valid_from", "valid_to",
    ],
}  # fmt: skip
LEDGER = {
    "channel": pa.string(), "table_name": pa.string(), "file_name": pa.string(), "file_sha": pa.string(),
    "size_bytes": pa.int64(), "mtime_ns": pa.int64(), "format": pa.string(), "encoding": pa.string(),
    "reader": pa.string(), "status": pa.string(), "reason": pa.string(), "remedy": pa.string(),
    "line": pa.int64(), "raw_count": pa.int64(), "landed_count": pa.int64(), "quarantined_count": pa.int64(),
    "warning_count": pa.int64(), "unknown_columns": pa.string(), "landed_at": pa.timestamp("us"),
    "run_id": pa.string(),
}  # fmt: skip
QUARANTINE = {
    "channel": pa.string(), "table_name": pa.string(), "file_sha": pa.string(), "line": pa.int64(),
    "reason": pa.string(), "detail": pa.string(), "row_key": pa.string(),
}  # fmt: skip


def write_landed(root: Path, rows: dict[str, list[dict[str, str | None]]], rules: dict[str, list[dict]] | None = None) -> None:
    """Write landed Parquet, ledger and rules of the channel `direct` under `root`.

    `rows` maps an entity to its records (column to text, as landing leaves them: identifiers are tokens); every other
    table of every channel gets its zero-row file. `rules` maps blocklist and manual_link to their rows.
    """
    ledger = []
    for path in sorted((PROJECT / "models" / "staging").glob("*/_*__sources.yml")):
        for source in yaml.safe_load(path.read_text())["sources"]:
            for table in source["tables"]:
                columns = {c["name"]: pa.string() for c in table.get("columns", [])} | TECHNICAL
                folder = root / "landed" / source["name"] / table["name"]
                _write(folder / "_empty.parquet", columns, [])
                records = rows.get(table["name"], []) if source["name"] == "direct" else []
                if records:
                    sha = hashlib.sha256(repr((table["name"], len(records))).encode()).hexdigest()
                    marked = [
                        {**record, "_file_sha": sha, "_line": number}
                        for number, record in enumerate(records, start=2)
                    ]
                    _write(folder / f"{sha}.parquet", columns, marked)
                    ledger.append({
                        "channel": "direct", "table_name": table["name"], "file_name": f"{table['name']}.csv",
                        "file_sha": sha, "status": "landed", "raw_count": len(records),
                        "landed_count": len(records), "quarantined_count": 0,
                        "landed_at": datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None),
                    })  # fmt: skip
    _write(root / "ledger" / "files.parquet", LEDGER, ledger)
    _write(root / "quarantine" / "_none" / "_none" / "_empty.parquet", QUARANTINE, [])
    for name, columns in RULES.items():
        types = dict.fromkeys(columns, pa.string())
        _write(root / "landed" / "rules" / name / "rules.parquet", types, (rules or {}).get(name, []))


def _write(path: Path, columns: dict[str, pa.DataType], rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: pa.array([row.get(name) for row in rows], type=kind) for name, kind in columns.items()}
    pq.write_table(pa.table(arrays), path)
