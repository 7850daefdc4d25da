"""The tag models on core tables that a test chooses: the SQL that dbt compiled for the demo, run again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

# What is dated by a local day, and the column with the day; facts that only follow from others are cut with them.
DATED = {
    "fct_event": "event_on",
    "fct_order": "ordered_on",
    "fct_order_line": "ordered_on",
    "fct_refund": "refunded_on",
    "fct_customer_day": "day_on",
    "fct_benefit": "entry_on",
    "fct_feedback": "feedback_on",
    "fct_subscription": "start_on",
}
FIRST_SCHEMAS = ("core", "seeds")


class TagModels:
    """The models from core to customer_tag, in the order in which they are built."""

    def __init__(self, root: Path) -> None:
        nodes = json.loads((root / "target" / "manifest.json").read_text())["nodes"]
        self.built = root / "warehouse.duckdb"
        self.relations: list[str] = []
        self.statements: list[tuple[str, str]] = []

        def visit(unique_id: str) -> None:
            node = nodes[unique_id]
            if node["schema"] in FIRST_SCHEMAS:
                name = f"{node['schema']}.{node['name']}"
                if name not in self.relations:
                    self.relations.append(name)
                return
            for parent in node["depends_on"]["nodes"]:
                visit(parent)
            name = f"{node['schema']}.{node['name']}"
            if name not in [done for done, _ in self.statements]:
                path = root / "target" / "compiled" / "perennial" / node["original_file_path"]
                self.statements.append((name, path.read_text()))

        visit("model.perennial.customer_tag")

    def build(
        self, changed: Mapping[str, str] | None = None, threads: int = 2, empty: bool = False
    ) -> duckdb.DuckDBPyConnection:
        """Build them in a database in memory, on the core tables of the demo or on what `changed` selects for one.

        With `empty`, core tables that are not changed have no rows. A select names the tables `built.<schema>.<table>`.
        """
        connection = duckdb.connect()
        connection.execute(f"set threads = {threads}; set timezone = 'UTC'")
        connection.execute(f"attach '{self.built}' as built (read_only)")
        connection.execute("attach ':memory:' as warehouse; use warehouse")
        for schema in (*FIRST_SCHEMAS, "marts"):
            connection.execute(f"create schema {schema}")
        for relation in self.relations:
            none = " limit 0" if empty and relation.startswith("core.") else ""
            connection.execute(f"create table {relation} as select * from built.{relation}{none}")
            table = relation.split(".")[1]
            if changed and table in changed:
                connection.execute(f"delete from {relation}")
                connection.execute(f"insert into {relation} by name {changed[table]}")
        for relation, sql in self.statements:
            connection.execute(f"create table {relation} as {sql}")
        return connection


def known_by(day: date, is_cut: bool) -> dict[str, str]:
    """Selects that look at the demo as of a day: with everything that came later, or without it."""
    changed = {"int_core__as_of": f"select date '{day}' as as_of, true as is_given"}
    if not is_cut:
        return changed
    until = f"date '{day}'"
    for table, column in DATED.items():
        changed[table] = f"select * from built.core.{table} where {column} <= {until}"
    changed["fct_order"] = f"""
        select * replace (
            case when valid_from_on <= {until} then valid_from_on end as valid_from_on,
            case when valid_to_on <= {until} then valid_to_on end as valid_to_on
        ) from built.core.fct_order where ordered_on <= {until}"""
    changed["dim_customer_history"] = f"""
        select * from built.core.dim_customer_history where valid_from + interval 8 hour < {until} + 1"""
    changed["int_core__account_states"] = f"""
        select * replace (case when valid_to + interval 8 hour < {until} + 1 then valid_to end as valid_to)
        from built.core.int_core__account_states where valid_from + interval 8 hour < {until} + 1"""
    changed["dim_customer"] = f"""
        select * replace (case when registered_on <= {until} then registered_on end as registered_on)
        from built.core.dim_customer"""
    return changed


TAGS = "select customer_id, tag_code, valid_from, valid_to, tag_value from marts.customer_tag"
AFFINITIES = (
    "select customer_id, category, valid_from, valid_to, affinity_score, affinity_rate,"
    " affinity_rank, last_signal_on from marts.customer_affinity"
)


def rows(connection: duckdb.DuckDBPyConnection, sql: str, until: date | None = None) -> list[tuple]:
    """Rows in order; with `until`, intervals as they were known to be on that day."""
    if until:
        sql = (
            f"select * replace (case when valid_to <= date '{until}' then valid_to end as valid_to)"
            f" from ({sql}) where valid_from <= date '{until}'"
        )
    return connection.execute(f"{sql} order by all").fetchall()
