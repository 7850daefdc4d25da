"""Landed files made by hand, for tests that look at the models and not at landing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

PROJECT = Path(__file__).parents[3]
TECHNICAL = {
    "ids": pa.string(),
    "_warnings": pa.string(),
    "_file_sha": pa.string(),
    "_line": pa.int64(),
}
RULES = {
    "blocklist": "id_type id_scope id_value reason",
    "manual_link": "action left_type left_scope left_token right_type right_scope right_token "
    "author reason valid_from valid_to",
    "probable_link": "left_type left_scope left_token right_type right_scope right_token "
    "probability:float match_weight:float agrees_on band reason model_id",
}
LEDGER = (
    "channel table_name file_name file_sha size_bytes:int mtime_ns:int format encoding reader "
    "status reason remedy line:int raw_count:int landed_count:int quarantined_count:int "
    "warning_count:int unknown_columns landed_at:moment run_id"
)
QUARANTINE = "channel table_name file_sha line:int reason detail row_key"
TYPES = {
    "": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "moment": pa.timestamp("us"),
}


def write_landed(
    root: Path,
    *deliveries: dict[str, list[dict[str, str]]],
    rules: dict[str, list[dict[str, str]]] | None = None,
) -> None:
    """Write landed Parquet, ledger and rules of the channel `direct` under `root`.

    Each delivery is a file per entity: entity to its records, column to text, as landing leaves
    them, so identifiers are tokens. `rules` maps the tables of RULES to their rows. Every
    other table of every channel gets its zero-row file.
    """
    ledger = []
    for path in sorted((PROJECT / "models" / "staging").glob("*/_*__sources.yml")):
        for source in yaml.safe_load(path.read_text())["sources"]:
            for table in source["tables"]:
                columns = {c["name"]: pa.string() for c in table.get("columns", [])} | TECHNICAL
                folder = root / "landed" / source["name"] / table["name"]
                _write(folder / "_empty.parquet", columns, [])
                for rows in deliveries if source["name"] == "direct" else ():
                    if records := rows.get(table["name"], []):
                        ledger.append(_write_file(folder, table["name"], columns, records))
    _write(root / "ledger" / "files.parquet", _columns(LEDGER), ledger)
    nothing = root / "quarantine" / "_none" / "_none" / "_empty.parquet"
    _write(nothing, _columns(QUARANTINE), [])
    for name, columns in RULES.items():
        path = root / "landed" / "rules" / name / "rules.parquet"
        _write(path, _columns(columns), (rules or {}).get(name, []))


def _write_file(
    folder: Path, entity: str, columns: dict[str, pa.DataType], records: list[dict[str, str]]
) -> dict:
    sha = hashlib.sha256(repr((entity, records)).encode()).hexdigest()
    lines = [{**record, "_file_sha": sha, "_line": n} for n, record in enumerate(records, start=2)]
    _write(folder / f"{sha}.parquet", columns, lines)
    return {
        "channel": "direct",
        "table_name": entity,
        "file_name": f"{entity}.csv",
        "file_sha": sha,
        "status": "landed",
        "raw_count": len(records),
        "landed_count": len(records),
        "quarantined_count": 0,
        "landed_at": datetime(2026, 1, 1),
    }


def _columns(names: str) -> dict[str, pa.DataType]:
    pairs = (name.partition(":") for name in names.split())
    return {name: TYPES[kind] for name, _, kind in pairs}


def _write(path: Path, columns: dict[str, pa.DataType], rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: pa.array([row.get(name) for row in rows], type=kind) for name, kind in columns.items()
    }
    pq.write_table(pa.table(arrays), path)
