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
TABLES = (
    *("int_identity__identifiers", "int_identity__members", "int_identity__customer_ids"),
    *("int_identity__judged_edges", "int_identity__rejected_edges", "int_identity__statements"),
    *("identity_id_history", "identity_review"),
)


@dataclass(frozen=True)
class Node:
    """An identifier or account in one period; `component_key` is None where it is nobody's.

    Several nodes have one `value_key` where the value moved from one person to another, and one
    node stands for several customers in turn where it is a shared device or cookie.
    """

    key: int
    value_key: int
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
        rows = self._ask("select table_name from duckdb_tables() where schema_name = 'identity'")
        if missing := set(TABLES) - {table for (table,) in rows}:
            raise UserError(
                f"The warehouse lacks identity tables ({min(missing)}); run `perennial run` first."
            )

    def nodes(self, condition: str, *values: Any) -> list[Node]:
        """Nodes that a condition on identifiers `i` and members `m` picks, one for each period."""
        rows = self._ask(
            "select i.node_key, i.value_key, i.id_type, i.id_scope, i.id_value, i.is_account, "
            "i.priority, i.blocked_reason, i.first_seen_at, i.last_seen_at, i.record_count, "
            "coalesce(m.valid_from, i.valid_from), "
            "case when m.node_key is null then i.valid_to else m.valid_to end, "
            "m.component_key, m.membership, m.customer_id "
            "from identity.int_identity__identifiers as i "
            "left join identity.int_identity__members as m on m.node_key = i.node_key "
            f"where {condition} "
            "order by i.priority, i.id_type, i.id_scope, i.id_value, i.node_key, m.valid_from",
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
            "with inside as (select distinct node_key from identity.int_identity__members "
            "where component_key = ?) "
            "select e.node_a, e.node_b, greatest(a.priority, b.priority), e.source_system, "
            "e.rule, e.first_seen_at, e.last_seen_at, e.record_count "
            "from identity.int_identity__judged_edges as e "
            "join identity.int_identity__identifiers as a on a.node_key = e.node_a "
            "join identity.int_identity__identifiers as b on b.node_key = e.node_b "
            "where e.node_a in (from inside) and e.node_b in (from inside) "
            "and e.reason is null "
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
        self, left: Sequence[int], right: Sequence[int]
    ) -> list[tuple[int, int, str, str, datetime | None]]:
        """Statements that keep two sets of nodes apart: (node, node, source, action, when)."""
        return self._ask(
            "with ends as (select node_key, value_key, list_contains($1, node_key) as is_left, "
            "list_contains($2, node_key) as is_right from identity.int_identity__identifiers "
            "where is_left or is_right) "
            "select min(a.node_key), min(b.node_key), s.source_system, s.action, "
            "max(s.last_stated_at) "
            "from identity.int_identity__statements as s "
            "join ends as a on a.value_key = s.left_key "
            "join ends as b on b.value_key = s.right_key "
            "where s.action in ('cannot', 'never', 'unbind') "
            "and ((a.is_left and b.is_right) or (a.is_right and b.is_left)) "
            "group by s.left_key, s.right_key, s.source_system, s.action order by all",
            left,
            right,
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
        """What a customer id stands for now, by the id history; None for no such id."""
        events = self._events("customer_id = ? and valid_to is null", customer_id)
        return events[0] if events else None

    def past(self, customer_id: str) -> list[Event]:
        """All that befell an id, the oldest first, then the ids that were given up for it."""
        former = "current_customer_id = ? and customer_id <> ? and valid_to is null"
        return [
            *self._events("customer_id = ?", customer_id),
            *self._events(former, customer_id, customer_id),
        ]

    def _events(self, condition: str, *values: Any) -> list[Event]:
        rows = self._ask(
            "select customer_id, current_customer_id, event, valid_from, caused_by_node_a, "
            "caused_by_node_b, caused_by_rule, caused_by_source "
            f"from identity.identity_id_history where {condition} order by valid_from, customer_id",
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
        yield Identity(connection)


def _pairs(rows: Iterable[tuple]) -> list[Link]:
    """Rows (node_a, node_b, priority, evidence...) sorted by pair, as one link per pair."""
    pairs: dict[tuple[int, int, int], list[Evidence]] = {}
    for node_a, node_b, priority, *evidence in rows:
        pairs.setdefault((node_a, node_b, priority), []).append(Evidence(*evidence))
    return [Link(*pair, tuple(evidence)) for pair, evidence in pairs.items()]
