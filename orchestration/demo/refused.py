"""Files that landing must refuse as a whole, one for each reason; only written with --faults."""

from __future__ import annotations

import gzip
from pathlib import Path

from orchestration.demo.writer import FileTruth

MEMBERS = "member_no,name,registered_at\nM00000001,王一,2026/01/01 10:00:00\n"
ORDERS = "source_system,source_record_id,ordered_at,status,paid_amount,currency\n"
ORDER = "tmall,TM1,2026-01-01T10:00:00Z,paid,1.00,CNY\n"


def write_refused_files(root: Path) -> list[FileTruth]:
    """Write them below `root` and return one entry for each, with status `refused`."""
    whole = gzip.compress((ORDERS + ORDER * 500).encode(), mtime=0)
    cases: list[tuple[str, str, str, bytes, str]] = [
        (
            "shopify",
            "order",
            "order_without_id.csv",
            b"note,total_price\nx,1.00\n",
            "a required column is missing",
        ),
        (
            "direct",
            "order_header",
            "order_header_cut_off.csv.gz",
            whole[: len(whole) // 2],
            "the archive is cut off",
        ),
        (
            "direct",
            "order_header",
            "order_header_flipped.csv.gz",
            _flipped(whole),
            "the archive's checksum is wrong",
        ),
        (
            "pos",
            "receipts",
            "receipts_no_archive.csv.gz",
            b"receipt_no,store_code\n",
            "no gzip archive",
        ),
        ("segment", "tracks", "tracks_empty.jsonl", b"", "the file is empty"),
        (
            "crm",
            "members",
            "members_semicolon.csv",
            MEMBERS.replace(",", ";").encode(),
            "another delimiter",
        ),
        (
            "crm",
            "members",
            "members_twice.csv",
            MEMBERS.replace("name", "Member_No", 1).encode(),
            "a column stands twice",
        ),
        (
            "direct",
            "order_header",
            "order_header_preamble.csv",
            ("Export of 2026\n\n" + ORDERS + ORDER).encode(),
            "a preamble",
        ),
        ("ads", "daily_spend", "daily_spend.xlsx", b"PK\x03\x04", "an unknown suffix"),
        (
            "direct",
            "purchase",
            "purchase_20260101.csv",
            (ORDERS + ORDER).encode(),
            "an undeclared table",
        ),
    ]
    written = []
    for channel, table, name, content, reason in cases:
        folder = root / channel / table
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        written.append(
            FileTruth(
                channel,
                table,
                # an undeclared table is refused as one entry, whatever it holds
                "" if table == "purchase" else name,
                name.split(".")[1],
                "utf-8",
                status="refused",
                reason=reason,
                size_bytes=len(content),
            )
        )
    (root / "direct" / "spend" / "folder.csv").mkdir(parents=True)
    written.append(
        FileTruth(
            "direct",
            "spend",
            "folder.csv",
            "csv",
            "utf-8",
            status="refused",
            reason="a directory where a file belongs",
        )
    )
    return written


def _flipped(data: bytes) -> bytes:
    """The archive with one bit of its checksum changed."""
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]
