"""Order of rows and threads change nothing; a past day is what a run on only the rows up to it gives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

MARTS = (
    "activity_daily",
    "cohort_daily",
    "cohort_monthly",
    "funnel_monthly",
    "kpi_daily",
    "engagement_monthly",
    "stage_upgrade_monthly",
    "stage_value_monthly",
    "churn_reason_monthly",
)
PAST = date(2026, 3, 17)

# What dates a row of the unified entities, for a warehouse that stops on a day.
MOMENTS = {
    "event": "event_at",
    "order_header": "ordered_at",
    "refund": "refunded_at",
    "feedback": "feedback_at",
    "touch": "touched_at",
    "referral": "invited_at",
    "spend": "spend_date",
    "account": "coalesce(registered_at, created_at, '1970-01-01')",
}


class Warehouse:
    """A copy of the demo warehouse whose models can be built anew from their compiled SQL."""

    def __init__(self, demo_root: Path, manifest: dict, folder: Path) -> None:
        folder.mkdir()
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
        """Build whatever the marts need of core and marts that depends on the changed relations."""
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

        for mart in MARTS:
            visit(mart)
        for name in order:
            sql = (self.root / self.nodes[name]["original_file_path"]).read_text()
            relation = f"{self.nodes[name]['schema']}.{name}"
            self.connection.execute(f"create or replace table {relation} as {sql}")

    def rows(self) -> dict[str, list[tuple]]:
        return {
            name: self.connection.execute(f"select * from marts.{name} order by all").fetchall()
            for name in MARTS
        }

    def look_from(self, day: date) -> None:
        self.connection.execute(
            f"create or replace table core.int_core__as_of as select date '{day}' as as_of, true as is_given"
        )


@pytest.fixture
def warehouse(demo_root: Path, manifest: dict, tmp_path: Path) -> Iterator[Warehouse]:
    found = Warehouse(demo_root, manifest, tmp_path / "one")
    yield found
    found.connection.close()


def test_order_of_rows_and_threads_do_not_matter(warehouse: Warehouse) -> None:
    before = warehouse.rows()
    shuffled = ("fct_event", "fct_session", "fct_customer_day", "fct_feedback", "dim_customer")
    warehouse.connection.execute("select setseed(0.5)")
    for name in shuffled:
        warehouse.connection.execute(
            f"create or replace table core.{name} as select * from core.{name} order by random()"
        )
    warehouse.connection.execute("set threads = 1")
    warehouse.rebuild(shuffled)
    assert warehouse.rows() == before
    assert all(before.values())


def test_a_past_day_is_the_run_on_the_rows_up_to_it(
    warehouse: Warehouse, demo_root: Path, manifest: dict, tmp_path: Path
) -> None:
    warehouse.look_from(PAST)
    warehouse.rebuild(("int_core__as_of",))
    found = warehouse.rows()

    stopped = Warehouse(demo_root, manifest, tmp_path / "two")
    stopped.look_from(PAST)
    cut = []
    for entity, moment in MOMENTS.items():
        stopped.connection.execute(
            f"create table kept as select * from unified.unified_{entity}"
            f" where cast(({moment}) + interval 8 hour as date) <= date '{PAST}'"
        )
        stopped.connection.execute(f"drop view if exists unified.unified_{entity}")
        stopped.connection.execute(f"create table unified.unified_{entity} as from kept")
        stopped.connection.execute("drop table kept")
        cut.append(f"unified_{entity}")
    stopped.rebuild(("int_core__as_of", *cut))
    again = stopped.rows()
    stopped.connection.close()
    for mart in MARTS:
        assert found[mart] == again[mart], mart
    assert {row[2] for row in found["activity_daily"]} == {PAST}
