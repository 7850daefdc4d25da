"""A copy of the demo warehouse that a test changes and builds anew."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb


class Warehouse:
    """A copy of the demo warehouse whose models can be built anew from their compiled SQL."""

    def __init__(
        self, demo_root: Path, manifest: dict, folder: Path, marts: tuple[str, ...]
    ) -> None:
        folder.mkdir()
        self.marts = marts
        shutil.copy(demo_root / "warehouse.duckdb", folder / "warehouse.duckdb")
        self.connection = duckdb.connect(str(folder / "warehouse.duckdb"))
        self.connection.execute("set timezone = 'UTC'")
        self.nodes = {
            node["name"]: node
            for node in manifest["nodes"].values()
            if node["resource_type"] == "model"
        }
        self.names = {node["unique_id"]: name for name, node in self.nodes.items()}
        self.root = demo_root / "target" / "compiled" / "perennial"

    def rebuild(self, changed: tuple[str, ...]) -> None:
        """Build what the marts need of core and of marts and what depends on the changed relations."""
        order: list[str] = []
        stale: dict[str, bool] = dict.fromkeys(changed, True)

        def visit(name: str) -> bool:
            if name not in stale:
                node = self.nodes[name]
                parents = [self.names[p] for p in node["depends_on"]["nodes"] if p in self.names]
                layer = node["fqn"][1]
                visited = [visit(parent) for parent in parents]
                stale[name] = any(visited) and layer in ("core", "marts")
                if stale[name]:
                    order.append(name)
            return stale[name]

        for mart in self.marts:
            visit(mart)
        for name in order:
            sql = (self.root / self.nodes[name]["original_file_path"]).read_text()
            relation = f"{self.nodes[name]['schema']}.{name}"
            self.connection.execute(f"create or replace table {relation} as {sql}")

    def rows(self) -> dict[str, list[tuple]]:
        return {
            name: self.connection.execute(f"select * from marts.{name} order by all").fetchall()
            for name in self.marts
        }

    def look_from(self, day: date) -> None:
        self.connection.execute(
            f"create or replace table core.int_core__as_of as select date '{day}' as as_of, true as is_given"
        )

    def replace(self, relation: str, sql: str) -> None:
        """Put the rows of a query, which may read the relation itself, in its place."""
        self.connection.execute(f"create temp table kept as {sql}")
        is_view = self.connection.execute(
            "select count(*) from duckdb_views() where schema_name || '.' || view_name = ?",
            [relation],
        ).fetchone()[0]
        self.connection.execute(f"drop {'view' if is_view else 'table'} {relation}")
        self.connection.execute(f"create table {relation} as from kept")
        self.connection.execute("drop table kept")
