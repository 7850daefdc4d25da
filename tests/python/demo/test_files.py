"""The raw files: shape, declared names and encodings, rarity of broken records, accounting."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from demo_reader import Demo, read_bytes, read_records

PROJECT = Path(__file__).resolve().parents[3]


def declared() -> dict[tuple[str, str], dict[str, Any]]:
    """Declared encoding, names and required names of each table."""
    tables = {}
    for path in PROJECT.glob("models/staging/*/_*__sources.yml"):
        for source in yaml.safe_load(path.read_text("utf-8"))["sources"]:
            for table in source["tables"]:
                names: dict[str, str] = {}
                required = set()
                for column in table["columns"]:
                    meta = column.get("config", {}).get("meta", {})
                    for name in [column["name"], *meta.get("aliases", [])]:
                        names[name] = column["name"]
                    if meta.get("required"):
                        required.add(column["name"])
                encoding = table.get("config", {}).get("meta", {}).get("encoding", "utf-8")
                tables[source["name"], table["name"]] = {
                    "encoding": encoding,
                    "names": names,
                    "required": required,
                }
    return tables


def test_every_channel_and_entity_is_there(demo: Demo) -> None:
    written = {(file["channel"], file["table_name"]) for file in demo.truth("files")}
    sources = declared()
    wanted = {key for key in sources if key[0] not in ("completejourney", "landing")}
    assert written == wanted


def test_headers_are_declared_and_hold_what_is_required(demo: Demo) -> None:
    sources = declared()
    for file in demo.truth("files"):
        table = sources[file["channel"], file["table_name"]]
        seen: set[str] = set()
        for _, record in read_records(demo.path(file), file["encoding"]):
            seen.update(record)
            if file["layout"] != "jsonl":
                break
        seen -= (
            {"ID", "APPID", "SOURCE_SYSTEM", "note", "score"} if "json" in file["layout"] else set()
        )
        known = set(table["names"]) | {"score"}
        assert seen <= known, (file["file_name"], seen - known)
        if file["layout"] != "jsonl":
            assert table["required"] <= {table["names"][name] for name in seen}


def test_files_decode_as_declared_but_for_planted_lines(demo: Demo) -> None:
    sources = declared()
    bad: Counter[tuple[str, str, str]] = Counter()
    for row in demo.truth("broken_records"):
        where = (row["channel"], row["table_name"], row["file_name"])
        bad[where] += row["fault"] == "undecodable_bytes"
    for file in demo.truth("files"):
        if file["layout"] == "parquet":
            continue
        data = read_bytes(demo.path(file))
        encoding = sources[file["channel"], file["table_name"]]["encoding"]
        if data.startswith(b"\xff\xfe"):
            assert file["channel"] == "direct"
            data.decode("utf-16")
            continue
        undecodable = 0
        for line in data.split(b"\n"):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                undecodable += 1
        if file["status"] == "landed":
            assert undecodable == bad[file["channel"], file["table_name"], file["file_name"]]


def test_broken_records_are_rare_in_every_table_and_file(demo: Demo) -> None:
    broken: Counter[tuple[str, str]] = Counter()
    in_file: Counter[tuple[str, str, str]] = Counter()
    for row in demo.truth("broken_records"):
        broken[row["channel"], row["table_name"]] += 1
        in_file[row["channel"], row["table_name"], row["file_name"]] += 1
    records: Counter[tuple[str, str]] = Counter()
    for file in demo.truth("files"):
        if file["status"] != "landed":
            continue
        count = sum(1 for _ in read_records(demo.path(file), file["encoding"]))
        assert count == file["raw"], file["file_name"]
        where = (file["channel"], file["table_name"], file["file_name"])
        assert in_file[where] == file["quarantined"]
        assert file["quarantined"] < 0.01 * count or not file["quarantined"], where
        records[file["channel"], file["table_name"]] += count
    for table, count in records.items():
        assert broken[table] < 0.01 * count, table
        if count < 150:
            assert not broken[table], table
    assert len({row["fault"] for row in demo.truth("broken_records")}) > 25


def test_every_outcome_adds_up(demo: Demo) -> None:
    for file in demo.truth("files"):
        parts = [file[name] for name in ("loaded", "quarantined", "duplicate", "superseded")]
        assert min(parts) >= 0
        assert sum(parts) == file["raw"]
        assert hashlib.sha256(demo.path(file).read_bytes()).hexdigest() == file["sha256"]
    by_hash = defaultdict(set)
    for file in demo.truth("files"):
        by_hash[file["sha256"]].add(file["status"])
    assert sum(statuses == {"landed", "skipped"} for statuses in by_hash.values()) == 3


@pytest.mark.parametrize(
    ("channel", "table", "key", "age"),
    [
        ("shopify", "order", "id", "updated_at"),
        ("pos", "receipts", "receipt_no", "updated_at"),
        ("crm", "members", "member_no", "updated_at"),
        ("wechat", "mini_program_users", "openid", "synced_at"),
        ("direct", "order_header", "source_record_id", "updated_at"),
        ("direct", "subscription", "source_record_id", "updated_at"),
    ],
)
def test_versions_and_copies_recounted(
    small: Demo, channel: str, table: str, key: str, age: str
) -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    copies = 0
    for record in small.good_records(channel, table):
        copies += record[age] in versions[record[key]]
        versions[record[key]].add(record[age])
    expected = small.expectations()["records"][f"{channel}/{table}"]
    assert len(versions) == expected["loaded"]
    assert sum(len(ages) - 1 for ages in versions.values()) == expected["superseded"]
    assert copies == expected["duplicate"]


def test_compressed_byte_order_mark_and_chinese_files_are_among_them(small: Demo) -> None:
    files = small.truth("files")
    assert any(file["file_name"].endswith(".csv.gz") for file in files)
    assert any(file["file_name"].endswith(".jsonl.gz") for file in files)
    assert any(read_bytes(small.path(f)).startswith(b"\xef\xbb\xbf") for f in files)
    receipts = next(f for f in files if f["table_name"] == "receipts" and f["status"] == "landed")
    assert "支付宝" in read_bytes(small.path(receipts)).decode("gb18030", errors="replace")
    assert not list((small.root / "landing").rglob(".*"))
