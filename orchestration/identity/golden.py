"""One golden row per person for the second pass: the last build's customers as they are without
probable links, so that a pass never takes its own former answer for evidence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from orchestration.errors import UserError

# A name or birth date that more of the people carry is what a form fills in by itself.
MOST_SHARED, FEWEST_SHARED = 0.01, 50
NEEDED = (
    *("identity.int_identity__components", "identity.int_identity__cut"),
    *("identity.int_identity__identifiers", "identity.int_identity__judged_edges"),
    *("identity.int_identity__node_statements", "seeds.survivorship", "unified.unified_account"),
)
# Of the part's accounts the one that survivorship prefers, then the one updated last.
_BEST = (
    "arg_min({0}, ({1}, -coalesce(epoch_us(updated_at), 0), {0})) filter (where {0} is not null)"
)

# (type and scope, most values of one customer) -> values of the type
Holdings = dict[tuple[str, int], set[int]]


@dataclass(frozen=True)
class People:
    """What is compared.

    `accounts` and `golden` hold unique_id, person, name, name_family, birth_date, gender, province,
    city as text (keys as bigint): a row per account, and per person (unique_id = person). `anchors`
    is the oldest account of each person, (source_system, source_record_id); `holdings` the values
    of types that have a limit; `apart` the pairs of persons that a statement separates, with its
    action.
    """

    accounts: pa.Table
    golden: pa.Table
    anchors: dict[int, tuple[str, str]]
    holdings: dict[int, Holdings]
    apart: dict[tuple[int, int], str] = field(default_factory=dict)


def read_people(connection: duckdb.DuckDBPyConnection) -> People:
    """Read the persons of a warehouse that is open for reading.

    Raises UserError when the last build left no identity layer.
    """
    there = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
    ).fetchall()
    if missing := set(NEEDED) - {name for (name,) in there}:
        raise UserError(f"The warehouse lacks {min(missing)}; run `perennial run` first.")
    connection.execute(
        "create or replace temp table part as select distinct node_key, component_key as person "
        "from identity.int_identity__components where membership = 'strong'"
    )
    moved = pa.table(dict(zip(("node_key", "person"), _without_probable(connection), strict=True)))
    connection.register("moved", moved)
    connection.execute(
        "update part set person = moved.person from moved where moved.node_key = part.node_key"
    )
    connection.execute(
        """
        create or replace temp table account as
        select
            i.node_key as unique_id, p.person, i.id_scope, i.id_value, i.first_seen_at,
            u.updated_at, u.name, u._channel || '.' || u._table as name_family,
            cast(u.birth_date as varchar) as birth_date,
            case when u.gender in ('male', 'female') then u.gender end as gender,
            nullif(lower(trim(u.province)), '') as province,
            nullif(lower(trim(u.city)), '') as city
        from identity.int_identity__identifiers as i
        inner join part as p on p.node_key = i.node_key
        inner join unified.unified_account as u
            on u.source_system = i.id_scope and u.source_record_id = i.id_value
        where i.is_account and not u.is_deleted and not coalesce(u.is_test, false)
        """
    )
    for column in ("name", "birth_date"):
        connection.execute(
            f"""
            update account set {column} = null where {column} in (
                select {column} from account group by {column}
                having count(distinct person) > greatest(
                    {FEWEST_SHARED}, {MOST_SHARED} * (select count(distinct person) from account)
                )
            )
            """
        )
    return People(
        accounts=_table(connection, "select * from account", "unique_id"),
        golden=_table(connection, _golden(), "person"),
        anchors={
            person: (scope, value)
            for person, scope, value in connection.execute(
                "select person, id_scope, id_value from account order by person, "
                "first_seen_at desc nulls first, id_scope desc, id_value desc"
            ).fetchall()
        },
        holdings=_holdings(connection),
        apart=_apart(connection),
    )


def _without_probable(connection: duckdb.DuckDBPyConnection) -> tuple[list[int], list[int]]:
    """Nodes of the customers that a probable link holds together, and the person each would be
    part of without any."""
    touched = (
        "select p.person from identity.int_identity__judged_edges as e "
        "inner join part as p on p.node_key = e.node_a "
        "where e.rule = 'probabilistic' and e.reason is null"
    )
    parents = {
        node: node
        for (node,) in connection.execute(
            f"select node_key from part where person in ({touched})"
        ).fetchall()
    }

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = node = parents[parents[node]]
        return node

    edges = connection.execute(
        f"""
        select distinct e.node_a, e.node_b from identity.int_identity__judged_edges as e
        inner join part as a on a.node_key = e.node_a
        inner join part as b on b.node_key = e.node_b and b.person = a.person
        left join identity.int_identity__cut as c on c.node_a = e.node_a and c.node_b = e.node_b
        where e.kind = 'strong' and e.reason is null and e.rule <> 'probabilistic'
            and coalesce(c.is_joined, true) and a.person in ({touched})
        """
    ).fetchall()
    for left, right in edges:
        low, high = sorted((root(left), root(right)))
        parents[high] = low
    nodes = sorted(parents)
    return nodes, [root(node) for node in nodes]


def _table(connection: duckdb.DuckDBPyConnection, rows: str, key: str) -> pa.Table:
    """Rows in one order, whatever the order of the tables, with `key` as unique_id."""
    return connection.execute(
        f"select {key} as unique_id, person, name, name_family, birth_date, gender, province, city "
        f"from ({rows}) order by 1"
    ).to_arrow_table()


def _golden() -> str:
    """SQL of one row per person, by the seed survivorship."""
    attributes = ("birth_date", "gender", "province", "city")
    chosen = ", ".join(f"{_BEST.format(name, f'{name}_priority')} as {name}" for name in attributes)
    everybody = "'*'"
    priorities = ", ".join(
        f"coalesce({_priority(name, 'id_scope')}, {_priority(name, everybody)}, 999) "
        f"as {name}_priority"
        for name in attributes
    )
    # Names of different forms have different tokens, so a name goes with the form that it is from.
    latest = "(-coalesce(epoch_us(updated_at), 0), name_family, name)"
    return (
        f"select person, {chosen}, "
        f"arg_min(name, {latest}) filter (where name is not null) as name, "
        f"arg_min(name_family, {latest}) filter (where name is not null) as name_family "
        f"from (select *, {priorities} from account) group by person"
    )


def _priority(attribute: str, source: str) -> str:
    return (
        "(select min(priority) from seeds.survivorship "
        f"where attribute = '{attribute}' and source_system = {source})"
    )


def _holdings(connection: duckdb.DuckDBPyConnection) -> dict[int, Holdings]:
    held: dict[int, Holdings] = defaultdict(lambda: defaultdict(set))
    for person, limit, most, value in connection.execute(
        "select p.person, i.id_type || '|' || i.id_scope, i.max_values_per_customer, i.value_key "
        "from identity.int_identity__identifiers as i "
        "inner join part as p on p.node_key = i.node_key "
        "where i.max_values_per_customer is not null"
    ).fetchall():
        held[person][limit, most].add(value)
    return held


def _apart(connection: duckdb.DuckDBPyConnection) -> dict[tuple[int, int], str]:
    rows = connection.execute(
        "select least(a.person, b.person), greatest(a.person, b.person), min(s.action) "
        "from identity.int_identity__node_statements as s "
        "inner join part as a on a.node_key = s.node_a "
        "inner join part as b on b.node_key = s.node_b "
        "where s.action in ('cannot', 'never') and a.person <> b.person group by 1, 2"
    ).fetchall()
    return {(left, right): action for left, right, action in rows}
