"""A warehouse on hand-made landed data: land, run the real models, ask, or put tables in their place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pyarrow as pa
from checkout import run
from landed import write_landed

ENTITIES = (
    "account identity_link event order_header order_line refund product spend touch campaign "
    "benefit feedback referral subscription privacy_event"
)
DIRECT_ONLY = {"channels": {"direct": ENTITIES.split()}}


class Warehouse:
    """Data root whose warehouse file begins empty; dbt's target folder stays, so that the project is parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "warehouse.duckdb"
        self.path.unlink(missing_ok=True)

    def land(
        self,
        *deliveries: dict[str, list[dict[str, str]]],
        rules: dict[str, list[dict[str, str]]] | None = None,
    ) -> None:
        """Have exactly these deliveries and rules landed, whatever was landed before."""
        for folder in ("landed", "ledger", "quarantine"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        write_landed(self.root, *deliveries, rules=rules)

    def dbt(self, command: str, *arguments: str, check: bool = True) -> CompletedProcess:
        """A dbt command over the channel `direct` alone."""
        return run(
            *("dbt", "--no-use-colors", "--log-level-file", "none", command, *arguments),
            *("--vars", json.dumps(DIRECT_ONLY)),
            data_root=self.root,
            check=check,
        )

    def ask(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def put(self, tables: Mapping[str, tuple[str, Iterable[tuple[Any, ...]]]]) -> None:
        """Replace tables of the schema identity: name to (columns such as `node_key bigint`, rows)."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create schema if not exists identity")
            for name, (columns, rows) in tables.items():
                connection.execute(f"create or replace table identity.{name} ({columns})")
                names = [column.split()[0] for column in columns.split(", ")]
                rows = list(rows)
                if rows:
                    given = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
                    connection.register("given", given)
                    connection.execute(f"insert into identity.{name} select * from given")
                    connection.unregister("given")
