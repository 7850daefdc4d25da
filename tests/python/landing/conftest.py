"""A tiny project of its own for landing: two channels, seeds and a data root in a temp folder."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.landing import LandingResult, land
from orchestration.landing.id_rules import IdRules, load_id_rules

CHECKOUT = Path(__file__).parents[3]
KEY = b"a key for tests, thirty-two bytes or more"

SHOP = """
sources:
  - name: shop
    tables:
      - name: orders
        columns:
          - {name: order_no, config: {meta: {required: column, aliases: [orderNumber, 订单号]}}}
          - {name: ordered_at}
          - {name: buyer_phone, config: {meta: {pii: direct, identifier: {type: phone}}}}
          - {name: buyer_email, config: {meta: {pii: direct, identifier: {type: email}}}}
          - {name: buyer_name, config: {meta: {pii: direct}}}
          - {name: paid, config: {meta: {required: column}}}
      - name: plain
        columns:
          - {name: id, config: {meta: {required: column}}}
          - {name: note}
          - {name: amount}
      - name: gbk
        config: {meta: {encoding: gbk}}
        columns:
          - {name: id, config: {meta: {required: column}}}
      - name: utf16
        config: {meta: {encoding: utf-16}}
        columns:
          - {name: id, config: {meta: {required: column}}}
          - {name: note}
      - name: western
        config: {meta: {encoding: latin-1, delimiter: ";"}}
        columns:
          - {name: id, config: {meta: {required: column}}}
          - {name: note}
      - name: links
        columns:
          - {name: link_no, config: {meta: {required: column}}}
          - {name: left_type}
          - {name: left_scope}
          - name: left_value
            config: {meta: {identifier: {type_column: left_type, scope_column: left_scope}}}
          - name: member_no
            config: {meta: {identifier: {type: member_id, scope: club, keep: true}}}
          - {name: ids, config: {meta: {ids: true}}}
          - {name: friend_ids, config: {meta: {ids: true}}}
"""

DIRECT = """
sources:
  - name: direct
    tables:
      - name: event
        columns:
          - {name: source_system, config: {meta: {required: value}}}
          - {name: source_record_id, config: {meta: {required: value}}}
          - {name: ids, config: {meta: {ids: true}}}
          - {name: extra}
"""


class Shop:
    """A data root with its project; `drop` puts raw files there, `land` lands them."""

    def __init__(self, root: Path):
        self.project = root / "project"
        self.data = root / "data"
        for channel, text in (("shop", SHOP), ("direct", DIRECT)):
            folder = self.project / "models" / "staging" / channel
            folder.mkdir(parents=True)
            (folder / f"_{channel}__sources.yml").write_text(text, encoding="utf-8")
        seeds = self.project / "seeds"
        seeds.mkdir()
        for seed in ("id_type_rule", "placeholder_word", "blocklist_shape"):
            shutil.copy(CHECKOUT / "seeds" / f"{seed}.csv", seeds)
        (self.project / "dbt_project.yml").write_text(
            "name: tiny\nvars:\n  channels:\n    shop: [order_header]\n    direct: [event]\n",
            encoding="utf-8",
        )
        (self.data / "landing").mkdir(parents=True)
        self.lines: list[str] = []

    def sources(self, channel: str) -> Path:
        """The channel's sources.yml."""
        return self.project / "models" / "staging" / channel / f"_{channel}__sources.yml"

    def drop(self, name: str, content: bytes | str, table: str = "shop/orders") -> Path:
        """Put a raw file under landing/<table>/."""
        path = self.data / "landing" / table / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def land(self, channels: Sequence[str] | None = None, **options: Any) -> LandingResult:
        """Land what lies there, without waiting for files to settle."""
        options.setdefault("settle_seconds", 0)
        self.lines.clear()
        return land(self.data, self.project, channels, KEY, "run-1", self.lines.append, **options)

    def rows(self, table: str = "shop/orders") -> list[dict[str, Any]]:
        """The landed rows of a table, files in order of their hash."""
        files = sorted((self.data / "landed" / table).glob("[0-9a-f]*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def ledger(self) -> list[dict[str, Any]]:
        """The rows of the ledger."""
        return pq.read_table(self.data / "ledger" / "files.parquet").to_pylist()

    def quarantined(self) -> list[dict[str, Any]]:
        """What dbt sees of the quarantine."""
        return _read(self.data / "quarantine")

    def raw_quarantined(self) -> list[dict[str, Any]]:
        """The bytes of the quarantined records."""
        return _read(self.data / "vault" / "quarantine")

    def tokens(self) -> list[dict[str, Any]]:
        """The vault's tokens with their raw values."""
        return _read(self.data / "vault" / "tokens")

    def leftovers(self) -> list[dict[str, Any]]:
        """Undeclared and unreadable values in the vault."""
        return _read(self.data / "vault" / "unknown_columns")


def _read(folder: Path) -> list[dict[str, Any]]:
    return [
        row
        for file in sorted(folder.rglob("[0-9a-f]*.parquet"))
        for row in pq.read_table(file).to_pylist()
    ]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A fresh data root and project."""
    return Shop(tmp_path)


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[[str], Shop]:
    """Makes several data roots in one test."""
    return lambda name: Shop(tmp_path / name)


@pytest.fixture(scope="session")
def rules() -> IdRules:
    """The identifier rules of the real seeds."""
    return load_id_rules(CHECKOUT)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own."""
    return duckdb.connect()


def csv_text(rows: Sequence[Sequence[str]], end: str = "\n") -> str:
    """Rows as CSV, as Python's own writer writes it."""
    lines: list[str] = []

    class Sink:
        def write(self, line: str) -> None:
            lines.append(line)

    csv.writer(Sink(), lineterminator=end).writerows(rows)
    return "".join(lines)
