"""What happens to customers between two warehouses: who merges, who splits, which orders move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orchestration.serving.reading import literal

WORST_SHOWN = 5
WORST_KEPT = 20

_CUSTOMERS = """
    select
        count(*) filter (where not is_anonymous) as known,
        count(*) filter (where is_anonymous) as anonymous
    from {side}.identity.int_identity__customer_ids
"""
# An identifier is the same one before and after when value and beginning of validity are.
_IDENTIFIERS = """
    create temp table identifiers as
    select b.customer_id as old_id, a.customer_id as new_id
    from before.core.bridge_customer_identifier as b
    full join after.core.bridge_customer_identifier as a
        using (id_type, id_scope, id_value, valid_from)
"""
_ORDERS = """
    create temp table orders as
    select
        b.customer_id as old_id, a.customer_id as new_id,
        cast(coalesce(b.net_amount, 0) as decimal(18, 4)) as net_amount
    from before.core.fct_order as b
    full join after.core.fct_order as a using (order_key)
"""
# One row per old and new customer with something in common.
_FLOWS = """
    create temp table flows as
    with
    carried as (
        select old_id, new_id, count(*) as identifiers
        from identifiers
        where old_id is not null and new_id is not null
        group by old_id, new_id
    ),
    bought as (
        select old_id, new_id, count(*) as orders, sum(net_amount) as net_amount
        from orders
        where old_id is not null and new_id is not null
        group by old_id, new_id
    )
    select
        c.old_id, c.new_id, c.identifiers, coalesce(b.orders, 0) as orders,
        cast(coalesce(b.net_amount, 0) as decimal(18, 4)) as net_amount
    from carried as c
    left join bought as b using (old_id, new_id)
"""
# The parts of everything that comes from, or goes to, more than one customer.
_CASES = """
    select {whole} as whole, {part} as part, identifiers, orders, net_amount
    from flows
    where {whole} in (select {whole} from flows group by {whole} having count(*) > 1)
    order by
        sum(identifiers) over (partition by {whole}) desc,
        sum(orders) over (partition by {whole}) desc, whole, identifiers desc, orders desc, part
"""
_REJECTED = """
    select reason, count(b.reason) as before, count(a.reason) as after
    from (
        select reason, node_a, node_b, source_system, rule
        from before.identity.int_identity__rejected_edges
    ) as b
    full join after.identity.int_identity__rejected_edges as a
        using (reason, node_a, node_b, source_system, rule)
    group by reason order by reason
"""
_IDS = """
    select
        (select count(*) from {one}.identity.int_identity__customer_ids
         where customer_id not in
            (select customer_id from {other}.identity.int_identity__customer_ids))
"""


@dataclass(frozen=True)
class Part:
    """What one customer gives to a merge, or what goes to one customer at a split."""

    customer_id: str
    identifiers: int
    orders: int
    net_amount: Decimal


@dataclass(frozen=True)
class Case:
    """A customer that is made of several (merge) or becomes several (split)."""

    customer_id: str
    parts: list[Part]

    @property
    def moving(self) -> list[Part]:
        """The parts whose customer id changes."""
        return [part for part in self.parts if part.customer_id != self.customer_id]


@dataclass(frozen=True)
class Changes:
    """Everything that differs; counts, and money in the reporting currency."""

    customers: Mapping[str, Mapping[str, int]]
    merged: int
    merged_into: int
    split: int
    split_into: int
    ids_retired: int
    ids_born: int
    identifiers: Mapping[str, int]
    orders: Mapping[str, int]
    net_amount_moved: Decimal
    rejected: list[Mapping[str, Any]]
    largest_merges: list[Case]
    largest_splits: list[Case]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values; money as text with four decimals."""
        return _plain(asdict(self))


def compare(before: Path, after: Path) -> Changes:
    """Hold the warehouse `after` against `before`; both are only read.

    Each needs bridge_customer_identifier and fct_order in the schema core,
    int_identity__customer_ids and int_identity__rejected_edges in identity; duckdb.Error otherwise.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(before)} as before (read_only)")
        connection.execute(f"attach {literal(after)} as after (read_only)")
        for statement in (_IDENTIFIERS, _ORDERS, _FLOWS):
            connection.execute(statement)
        merges = _cases(connection, "new_id", "old_id")
        splits = _cases(connection, "old_id", "new_id")
        moved = _row(
            connection,
            "select count(*) filter (where old_id is not null) as total, "
            "count(*) filter (where old_id <> new_id) as moved, "
            "count(*) filter (where old_id is null) as new, "
            "coalesce(sum(net_amount) filter (where old_id <> new_id), 0) as net from orders",
        )
        return Changes(
            customers={
                side: _row(connection, _CUSTOMERS.format(side=side)) for side in ("before", "after")
            },
            merged=len({part.customer_id for case in merges for part in case.parts}),
            merged_into=len(merges),
            split=len(splits),
            split_into=len({part.customer_id for case in splits for part in case.parts}),
            ids_retired=_number(connection, _IDS.format(one="before", other="after")),
            ids_born=_number(connection, _IDS.format(one="after", other="before")),
            identifiers=_row(
                connection,
                "select count(old_id) as before, count(new_id) as after, "
                "count(*) filter (where old_id <> new_id) as moved, "
                "count(*) filter (where new_id is null) as dropped, "
                "count(*) filter (where old_id is null) as added from identifiers",
            ),
            orders={key: moved[key] for key in ("total", "moved", "new")},
            net_amount_moved=moved["net"],
            rejected=_rows(connection, _REJECTED),
            largest_merges=merges[:WORST_KEPT],
            largest_splits=splits[:WORST_KEPT],
        )


def screen(changes: Changes, currency: str) -> str:
    """The changes as text for a terminal, worst cases last."""
    before, after = changes.customers["before"], changes.customers["after"]
    orders, identifiers = changes.orders, changes.identifiers
    lines = [
        _line(
            "Customers",
            f"{_step(sum(before.values()), sum(after.values()))}; known "
            f"{_step(before['known'], after['known'])}, anonymous "
            f"{_step(before['anonymous'], after['anonymous'])}",
        ),
        _line("Merged", f"{_customers(changes.merged)} into {changes.merged_into:,}"),
        _line("Split", f"{_customers(changes.split)} into {changes.split_into:,}"),
        _line("Ids", f"{changes.ids_retired:,} retired, {changes.ids_born:,} born"),
        _line(
            "Identifiers",
            f"{_step(identifiers['before'], identifiers['after'])}; {identifiers['moved']:,} go to "
            f"another customer, {identifiers['dropped']:,} stand for nobody any more, "
            f"{identifiers['added']:,} are new",
        ),
        _line(
            "Orders",
            f"{orders['moved']:,} of {orders['total']:,} go to another customer, "
            f"{_money(changes.net_amount_moved)} {currency} net; {orders['new']:,} are new",
        ),
    ]
    rejected = [
        f"{row['reason']} {_step(row['before'], row['after'])}"
        for row in changes.rejected
        if row["before"] != row["after"]
    ]
    counts = [sum(row[side] for row in changes.rejected) for side in ("before", "after")]
    lines.append(_line("Rejected", "; ".join([f"links {_step(*counts)}", *rejected])))
    for title, cases, sign in (
        ("Largest merges", changes.largest_merges, "<-"),
        ("Largest splits", changes.largest_splits, "->"),
    ):
        if cases:
            lines += ["", f"{title} (money in {currency}, net)"]
        for case in cases[:WORST_SHOWN]:
            lines += _case(case, sign)
    return "\n".join(lines)


def _cases(connection: duckdb.DuckDBPyConnection, whole: str, part: str) -> list[Case]:
    cases: dict[str, list[Part]] = {}
    for key, *figures in connection.execute(_CASES.format(whole=whole, part=part)).fetchall():
        cases.setdefault(key, []).append(Part(*figures))
    return [Case(key, parts) for key, parts in cases.items()]


def _case(case: Case, sign: str) -> list[str]:
    moving = case.moving
    shown = [
        f"  {sign} {part.customer_id}  {_figures([part])}"
        + ("  keeps the id" if part.customer_id == case.customer_id else "")
        for part in case.parts[:WORST_SHOWN]
    ]
    if len(case.parts) > WORST_SHOWN:
        shown.append(f"  {sign} {len(case.parts) - WORST_SHOWN:,} more")
    return [f"{case.customer_id}  {_figures(case.parts)}; moving: {_figures(moving)}", *shown]


def _figures(parts: Sequence[Part]) -> str:
    return (
        f"{sum(part.identifiers for part in parts):,} identifiers, "
        f"{sum(part.orders for part in parts):,} orders, "
        f"{_money(sum((part.net_amount for part in parts), Decimal(0)))}"
    )


def _customers(count: int) -> str:
    return f"{count:,} customer{'' if count == 1 else 's'}"


def _step(before: int, after: int) -> str:
    return f"{before:,} -> {after:,}" if before != after else f"{before:,}"


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _line(name: str, text: str) -> str:
    return f"{name:<12}{text}"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    answer = connection.execute(sql)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    return _rows(connection, sql)[0]


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    return connection.execute(sql).fetchone()[0]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return f"{value:.4f}" if isinstance(value, Decimal) else value
