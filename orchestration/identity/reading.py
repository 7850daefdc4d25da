"""What explaining reads from the working database: identifiers, customers, evidence, history.

Every statement reads the tables of the schema `identity` as the last build left them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.errors import UserError
from orchestration.identity.graph import Evidence, Link
from orchestration.runtime.paths import DataPaths
from orchestration.runtime.preflight import read_warehouse

LENGTHS = (8, 12, 16, 24)
_PERIODS = ("valid_from", "valid_to")


@dataclass(frozen=True)
class Node:
    """An identifier or account in one period; `component_key` is None where it is nobody's."""

    key: int
    id_type: str
    id_scope: str
    id_value: str
    is_account: bool
    priority: int
    blocked_reason: str | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    record_count: int
    valid_from: datetime | None
    valid_to: datetime | None
    component_key: int | None
    membership: str | None
    customer_id: str | None


@dataclass(frozen=True)
class Event:
    """One row of the id history: what became of `customer_id`, and the link that caused it."""

    customer_id: str
    current_customer_id: str | None
    event: str
    valid_from: datetime | None
    node_a: int | None
    node_b: int | None
    rule: str | None
    source_system: str | None


class Identity:
    """Questions to one open warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._tables = {
            table: {column for (column,) in self._ask(f"select name from pragma_table_info({at})")}
            for table, at in self._ask(
                "select table_name, '''identity.' || table_name || '''' "
                "from duckdb_tables() where schema_name = 'identity'"
            )
        }

    def has(self, table: str) -> bool:
        return table in self._tables

    def nodes(self, condition: str, *values: Any) -> list[Node]:
        """Nodes that a condition on identifiers `i`, components `n`, customers `c` picks."""
        periods = [
            f"i.{column}" if column in self._tables["int_identity__identifiers"] else "null"
            for column in _PERIODS
        ]
        rows = self._ask(
            "select i.node_key, i.id_type, i.id_scope, i.id_value, i.is_account, i.priority, "
            "i.blocked_reason, i.first_seen_at, i.last_seen_at, i.record_count, "
            f"{', '.join(periods)}, n.component_key, n.membership, c.customer_id "
            "from identity.int_identity__identifiers as i "
            "left join identity.int_identity__components as n on n.node_key = i.node_key "
            "left join identity.int_identity__customer_ids as c "
            "on c.component_key = n.component_key "
            f"where {condition} "
            "order by i.priority, i.id_type, i.id_scope, i.id_value, i.node_key",
            *values,
        )
        return [Node(*row) for row in rows]

    def scopes(self, id_type: str) -> list[str]:
        rows = self._ask(
            "select distinct id_scope from identity.int_identity__identifiers "
            "where id_type = ? order by 1",
            id_type,
        )
        return [scope for (scope,) in rows]

    def types(self) -> set[str]:
        rows = self._ask("select distinct id_type from identity.int_identity__identifiers")
        return {id_type for (id_type,) in rows}

    def customer(self, customer_id: str) -> dict[str, Any] | None:
        """The row of a customer that is in use."""
        names = (
            *("customer_id", "component_key", "anchor_key", "is_anonymous", "account_count"),
            *("identifier_count", "first_seen_at", "last_seen_at"),
        )
        rows = self._ask(
            f"select {', '.join(names)} from identity.int_identity__customer_ids "
            "where customer_id = ?",
            customer_id,
        )
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def links(self, component_key: int) -> list[Link]:
        """The accepted evidence inside one component, one link per pair, the strongest first."""
        rows = self._ask(
            "select e.node_a, e.node_b, greatest(a.priority, b.priority), e.source_system, "
            "e.rule, e.first_seen_at, e.last_seen_at, e.record_count "
            "from identity.int_identity__judged_edges as e "
            "join identity.int_identity__components as m on m.node_key = e.node_a "
            "join identity.int_identity__components as n "
            "on n.node_key = e.node_b and n.component_key = m.component_key "
            "join identity.int_identity__identifiers as a on a.node_key = e.node_a "
            "join identity.int_identity__identifiers as b on b.node_key = e.node_b "
            "where m.component_key = ? and e.reason is null "
            "order by e.node_a, e.node_b, e.record_count desc, e.source_system, e.rule",
            component_key,
        )
        return sorted(_pairs((*row, None) for row in rows), key=lambda link: link.rank)

    def rejected(self, left: Iterable[int], right: Iterable[int]) -> list[Link]:
        """Rejected evidence between two sets of nodes, also over one node of nobody's."""
        rows = self._ask(
            "with sides as ("
            "select unnest(?::bigint[]) as node, 1 as side "
            "union all select unnest(?::bigint[]), 2), "
            "refused as (select *, node_a as node, node_b as other "
            "from identity.int_identity__rejected_edges "
            "union all select *, node_b, node_a from identity.int_identity__rejected_edges), "
            "touching as (select r.*, s.side, o.side as other_side "
            "from refused as r join sides as s on s.node = r.node "
            "left join sides as o on o.node = r.other), "
            "between_both as (select other from touching where other_side is null "
            "group by other having count(distinct side) = 2) "
            "select distinct t.node_a, t.node_b, greatest(a.priority, b.priority), "
            "t.source_system, t.rule, t.first_seen_at, t.last_seen_at, t.record_count, t.reason "
            "from touching as t "
            "join identity.int_identity__identifiers as a on a.node_key = t.node_a "
            "join identity.int_identity__identifiers as b on b.node_key = t.node_b "
            "where (t.other_side is null and t.other in (select other from between_both)) "
            "or t.other_side <> t.side "
            "order by t.node_a, t.node_b, t.record_count desc, t.source_system, t.rule",
            list(left),
            list(right),
        )
        return sorted(_pairs(rows), key=lambda link: link.rank)

    def refusals(self, node_key: int) -> list[Link]:
        """All rejected evidence at one node."""
        rows = self._ask(
            "select e.node_a, e.node_b, greatest(a.priority, b.priority), e.source_system, "
            "e.rule, e.first_seen_at, e.last_seen_at, e.record_count, e.reason "
            "from identity.int_identity__rejected_edges as e "
            "join identity.int_identity__identifiers as a on a.node_key = e.node_a "
            "join identity.int_identity__identifiers as b on b.node_key = e.node_b "
            "where ? in (e.node_a, e.node_b) "
            "order by e.node_a, e.node_b, e.record_count desc, e.source_system, e.rule",
            node_key,
        )
        return sorted(_pairs(rows), key=lambda link: link.rank)

    def separations(
        self, left: Iterable[int], right: Iterable[int]
    ) -> list[tuple[int, int, str, str, datetime | None]]:
        """Statements that keep two sets of nodes apart: (node, node, source, action, when)."""
        return self._ask(
            "select distinct node_a, node_b, source_system, action, last_stated_at "
            "from identity.int_identity__statements "
            "where action in ('cannot', 'never', 'unbind') "
            "and ((list_contains($1, node_a) and list_contains($2, node_b)) "
            "or (list_contains($2, node_a) and list_contains($1, node_b))) order by all",
            list(left),
            list(right),
        )

    def bridges(self, customer_id: str | None, most: int | None) -> list[dict[str, Any]]:
        """Rows of identity_review, of one customer or of all, the worst first."""
        answer = self._connection.execute(
            "select * from identity.identity_review where customer_id = ? or ? is null "
            "order by review_rank limit ?",
            [customer_id, customer_id, most],
        )
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def became(self, customer_id: str) -> Event | None:
        """What a customer id stands for now, by the id history."""
        events = self._events("customer_id = ?", customer_id)
        return events[0] if events else None

    def former(self, customer_id: str) -> list[Event]:
        """Ids that were given up for this one."""
        return self._events(
            "current_customer_id = ? and customer_id <> ?", customer_id, customer_id
        )

    def _events(self, condition: str, *values: Any) -> list[Event]:
        if not self.has("identity_id_history"):
            return []
        rows = self._ask(
            "select customer_id, current_customer_id, event, valid_from, caused_by_node_a, "
            "caused_by_node_b, caused_by_rule, caused_by_source "
            f"from identity.identity_id_history where {condition} and valid_to is null "
            "order by valid_from, customer_id",
            *values,
        )
        return [Event(*row) for row in rows]

    def shortest(self, nodes: Sequence[Node]) -> dict[int, str]:
        """Node key -> the beginning of its token that no other identifier of its type shares."""
        short = {node.key: node.id_value for node in nodes}
        open_keys = [node.key for node in nodes if not node.is_account]
        for length in LENGTHS:
            rows = self._ask(
                "select w.node_key, substr(w.id_value, 1, ?) "
                "from identity.int_identity__identifiers as w "
                "join identity.int_identity__identifiers as i on i.id_type = w.id_type "
                "and substr(i.id_value, 1, ?) = substr(w.id_value, 1, ?) "
                "where list_contains(?::bigint[], w.node_key) "
                "group by 1, 2 having count(distinct i.id_scope || '|' || i.id_value) = 1",
                length,
                length,
                length,
                open_keys,
            )
            found = dict(rows)
            short |= found
            open_keys = [key for key in open_keys if key not in found]
            if not open_keys:
                break
        return short

    def _ask(self, sql: str, *values: Any) -> list[tuple]:
        return self._connection.execute(sql, list(values)).fetchall()


@contextmanager
def open_identity(paths: DataPaths) -> Iterator[Identity]:
    """The identity tables, read-only; raises UserError when none were built, BlockedError when a
    run holds the warehouse."""
    with read_warehouse(paths) as connection:
        identity = Identity(connection)
        for table in (
            "int_identity__identifiers",
            "int_identity__components",
            "int_identity__customer_ids",
            "int_identity__judged_edges",
            "int_identity__rejected_edges",
        ):
            if not identity.has(table):
                raise UserError(
                    f"The identity layer has not been built in {paths.warehouse}; run "
                    "`perennial run` first."
                )
        yield identity


def _pairs(rows: Iterable[tuple]) -> list[Link]:
    """Rows (node_a, node_b, priority, evidence...) sorted by pair, as one link per pair."""
    pairs: dict[tuple[int, int, int], list[Evidence]] = {}
    for node_a, node_b, priority, *evidence in rows:
        pairs.setdefault((node_a, node_b, priority), []).append(Evidence(*evidence))
    return [Link(*pair, tuple(evidence)) for pair, evidence in pairs.items()]
