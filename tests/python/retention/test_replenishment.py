"""Replenishment dates against plain Python, on the demo and on made-up orders, for every stored day."""

from __future__ import annotations

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb

DAY = timedelta(days=1)
LEAD = 3


@dataclass(frozen=True)
class Purchase:
    """A line of an order that is valid on the days start <= day < end."""

    customer_id: str
    group: str
    place: tuple[datetime, str, str]
    on: date
    start: date
    end: date | None
    cycle: int | None


def expected(purchases: Iterable[Purchase], days: Iterable[date]) -> set[tuple]:
    """Rows of customer_replenishment, counted anew for each day."""
    purchases, rows = list(purchases), set()
    for as_of in days:
        known: dict[tuple[str, str], list[Purchase]] = defaultdict(list)
        for p in purchases:
            if p.start <= as_of and (p.end is None or as_of < p.end):
                known[p.customer_id, p.group].append(p)
        gaps = {key: _gaps({p.on for p in bought}) for key, bought in known.items()}
        of_group: dict[str, list[int]] = defaultdict(list)
        for (_, group), own in gaps.items():
            of_group[group] += own
        for (customer, group), bought in known.items():
            last = max(bought, key=lambda p: p.place)
            own = gaps[customer, group]
            source = cycle = when = remind = None
            if len(own) >= 3:
                source, cycle = "personal", math.ceil(statistics.median(own))
            elif last.cycle:
                source, cycle = "product", last.cycle
            elif of_group[group]:
                source, cycle = "category", math.ceil(statistics.median(of_group[group]))
            if cycle is not None:
                when = last.on + DAY * cycle
                remind = when - DAY * LEAD
            is_due = remind is not None and as_of <= remind < as_of + 7 * DAY
            rows.add((customer, group, as_of, last.on, len({p.on for p in bought}), source, cycle,
                      when, remind, is_due))  # fmt: skip
    return rows


def _gaps(days: set[date]) -> list[int]:
    ordered = sorted(days)
    return [(b - a).days for a, b in pairwise(ordered)]


def _levels(group: str | None) -> tuple[str | None, str | None]:
    """First and second category of a product; those of care name the first one only."""
    return (group, None) if group == "care" else ("all" if group else None, group)


def _told(connection: duckdb.DuckDBPyConnection) -> set[tuple]:
    rows = connection.execute(
        "select customer_id, category, as_of, last_purchase_on, purchase_day_count, cycle_source,"
        " cycle_days, expected_on, remind_on, is_due_this_week from marts.customer_replenishment"
    ).fetchall()
    assert len(rows) == len(set(rows))
    return set(rows)


def _stored_days(connection: duckdb.DuckDBPyConnection) -> list[date]:
    return [d for (d,) in connection.execute("select as_of from marts.int_calendar__stored_days").fetchall()]  # fmt: skip


def test_no_reminder_of_the_demo_differs(demo_root: Path) -> None:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as built:
        products: dict[str, list[tuple]] = defaultdict(list)
        for key, *version in built.execute(
            "select product_key, valid_from, coalesce(category_l2, category_l1), replenish_days"
            " from core.dim_product order by valid_from"
        ).fetchall():
            products[key].append(tuple(version))
        purchases = []
        for customer, order, line, at, on, start, end, product in built.execute(
            "select o.customer_id, o.order_key, l.order_line_key, o.ordered_at, o.ordered_on,"
            " o.valid_from_on, o.valid_to_on, l.product_key from core.fct_order_line as l"
            " join core.fct_order as o on o.order_key = l.order_key"
            " join core.dim_customer as c on c.customer_id = o.customer_id"
            " where o.valid_from_on is not null and not c.is_anonymous and not c.is_unknown"
        ).fetchall():
            versions = products.get(product)
            if not versions:
                continue
            in_force = [v for v in versions if v[0] <= at] or versions[:1]
            _, group, cycle = in_force[-1]
            if group is not None:
                purchases.append(Purchase(customer, group, (at, order, line), on, start, end, cycle))  # fmt: skip
        rows = expected(purchases, _stored_days(built))
        assert _told(built) ^ rows == set()
        assert {"personal", "product"} <= {row[5] for row in rows}


def test_no_reminder_of_made_up_orders_differs(
    warehouse: duckdb.DuckDBPyConnection, retention_sql: Mapping[str, str]
) -> None:
    rng = random.Random(3)
    as_of = date(2025, 3, 20)
    products = {
        f"p{n}": (rng.choice(("tea", "care", "rare", None)), rng.choice((None, None, 0, 21, 60)))
        for n in range(12)
    } | {"once": ("once", None)}
    orders, lines, purchases = [], [], []
    for c in range(120):
        day = date(2024, 3, 1) + DAY * rng.randrange(300)
        for n in range(rng.choice((1, 1, 2, 3, 4, 5, 8))):
            order, at = f"o{c}-{n}", datetime.combine(day, time(rng.randrange(16)))
            start = rng.choice((day, day, day, day + 3 * DAY, None))
            end = start + DAY * rng.choice((1, 20, 90)) if start and rng.random() < 0.15 else None
            orders.append((order, f"c{c}", at, day, start, end))
            for k in range(rng.choice((1, 1, 2, 3))):
                product = rng.choice(list(products))
                lines.append((f"{order}-{k}", order, product))
                group, cycle = products[product]
                if start and group:
                    place = (at, order, f"{order}-{k}")
                    purchases.append(Purchase(f"c{c}", group, place, day, start, end, cycle))
            day += DAY * rng.choice((0, 1, 7, 10, 11, 30, 45))
    warehouse.execute(
        f"create table core.int_core__as_of as select date '{as_of}' as as_of, true as is_given;"
        "create table core.dim_date as from built.core.dim_date;"
        "create table core.dim_customer as select 'c' || n as customer_id, false as is_unknown,"
        " false as is_anonymous from range(120) as customers (n);"
        "create table core.fct_order (order_key varchar, customer_id varchar, ordered_at timestamp,"
        " ordered_on date, valid_from_on date, valid_to_on date);"
        "create table core.fct_order_line (order_line_key varchar, order_key varchar,"
        " product_key varchar, product_version_number bigint);"
        "create table core.dim_product (product_key varchar, category_l1 varchar, category_l2 varchar,"
        " replenish_days bigint, version_number bigint);"
        "create table marts.int_lifecycle__customers (customer_id varchar, left_on date)"
    )
    warehouse.executemany("insert into core.fct_order values (?, ?, ?, ?, ?, ?)", orders)
    warehouse.executemany("insert into core.fct_order_line values (?, ?, ?, 1)", lines)
    warehouse.executemany(
        "insert into core.dim_product values (?, ?, ?, ?, 1)",
        [(key, *_levels(group), cycle) for key, (group, cycle) in products.items()],
    )
    for name in ("int_calendar__stored_days", "customer_replenishment"):
        warehouse.execute(retention_sql[name])
    rows = expected(purchases, _stored_days(warehouse))
    assert _told(warehouse) ^ rows == set()
    assert {row[5] for row in rows} == {"personal", "product", "category", None}
    assert any(row[-1] for row in rows)
