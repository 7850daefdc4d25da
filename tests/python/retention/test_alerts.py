"""The alerts say what plain Python finds by walking through the days, whatever the order of the rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from lifecycle.evaluator import Brand, Customer, Order
from lifecycle.populations import random_population
from lifecycle.test_demo import _facts
from lifecycle.warehouse import Compiled, load_core

from .daily import ActiveDay, Alert, alerts, doubtful_days

DAY = timedelta(days=1)
START = date(2023, 4, 20)
AS_OF = date(2025, 3, 20)
# Days on which the recording of a made-up population is down.
OUTAGE = {date(2024, 6, 10) + DAY * n for n in range(20)} | {date(2024, 11, 5)}


def _told(connection: duckdb.DuckDBPyConnection) -> set[Alert]:
    rows = connection.execute(
        "select customer_id, alert_code, opened_on, closed_on, days_to_threshold,"
        " case when alert_code <> 'activity_drop' then business_type end"
        " from marts.customer_alert"
    ).fetchall()
    assert len(rows) == len(set(rows))
    return set(rows)


def _active(connection: duckdb.DuckDBPyConnection) -> list[ActiveDay]:
    return connection.execute(
        "select customer_id, day_on, active_event_count from core.fct_customer_day"
        " join core.int_core__as_of on day_on <= as_of where is_active"
    ).fetchall()


def _build(
    connection: duckdb.DuckDBPyConnection,
    lifecycle: Compiled,
    retention_sql: Mapping[str, str],
    customers: Sequence[Customer],
    as_of: date,
) -> set[Alert]:
    load_core(connection, customers, as_of)
    connection.execute(
        "create or replace table core.fct_customer_day as select *,"
        " case when is_active then 1 + length(customer_id) % 3 else 0 end as active_event_count"
        " from core.fct_customer_day"
    )
    lifecycle.run(connection)
    for name in ("int_retention__activity_drops", "customer_alert"):
        connection.execute(retention_sql[name])
    return _told(connection)


@pytest.fixture(scope="session")
def lifecycle(demo_root: Path) -> Compiled:
    return Compiled.from_target(demo_root / "target")


@pytest.fixture(scope="session")
def people() -> list[Customer]:
    """Lives of every business type, the busiest ones with no activity recorded during the outage."""
    made = random_population(7, 160, START, (AS_OF - START).days)
    steady = [
        Customer(
            f"s_{n:03d}",
            registered_on=START + DAY * n,
            active_on=tuple(START + DAY * d for d in range(n, 700) if (d + n) % (n % 6 + 2) == 0),
        )
        for n in range(60)
    ]
    return [
        dataclasses.replace(c, active_on=tuple(d for d in c.active_on if d not in OUTAGE))
        for c in made + steady
    ]


def test_no_alert_of_the_demo_differs(demo_root: Path) -> None:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as built:
        (as_of,) = built.execute("select as_of from core.int_core__as_of").fetchone()
        anonymous = built.execute(
            "select customer_id from core.dim_customer where is_anonymous"
        ).fetchall()
        customers, _ = _facts(built)
        expected = alerts(
            Brand(customers, as_of), _active(built), frozenset(c for (c,) in anonymous)
        )
        assert _told(built) ^ expected == set()
        assert {alert[1] for alert in expected} == {
            "churn_warning", "churn_pre_warning", "inactive_days", "activity_drop",
        }  # fmt: skip


def test_no_alert_of_a_made_up_population_differs(
    warehouse: duckdb.DuckDBPyConnection,
    lifecycle: Compiled,
    retention_sql: Mapping[str, str],
    people: Sequence[Customer],
) -> None:
    told = _build(warehouse, lifecycle, retention_sql, people, AS_OF)
    expected = alerts(Brand(people, AS_OF), _active(warehouse))
    assert told ^ expected == set()
    # The guard held something back and the alerts of every business type were asked.
    doubtful = doubtful_days(_active(warehouse), AS_OF)
    assert doubtful >= OUTAGE
    drops = [a for a in told if a[1] == "activity_drop"]
    assert len(drops) > 100
    assert not {a[2] for a in drops} & doubtful
    types = warehouse.execute(
        "select count(distinct business_type) from marts.customer_alert"
        " where alert_code = 'churn_warning'"
    ).fetchone()
    assert types == (11,)


def test_a_past_day_is_what_was_seen_on_it(
    warehouse: duckdb.DuckDBPyConnection,
    lifecycle: Compiled,
    retention_sql: Mapping[str, str],
    people: Sequence[Customer],
) -> None:
    now = {a[:4] for a in _build(warehouse, lifecycle, retention_sql, people, AS_OF)}
    for day in (date(2023, 12, 31), date(2024, 7, 3)):
        then = _build(warehouse, lifecycle, retention_sql, _known(people, day), day)
        assert {a[:4] for a in then} == {
            (name, code, opened, closed if closed and closed <= day else None)
            for name, code, opened, closed in now
            if opened <= day
        }


def _known(people: Sequence[Customer], day: date) -> list[Customer]:
    """The customers with only the facts dated on or before a day."""

    def order(o: Order) -> Order:
        return dataclasses.replace(
            o,
            paid_on=o.paid_on if o.paid_on and o.paid_on <= day else None,
            cancelled_on=o.cancelled_on if o.cancelled_on and o.cancelled_on <= day else None,
            refunds=tuple(r for r in o.refunds if r.on <= day),
        )

    return [
        dataclasses.replace(
            c,
            registered_on=c.registered_on if c.registered_on and c.registered_on <= day else None,
            created_on=c.created_on if c.created_on and c.created_on <= day else None,
            active_on=tuple(d for d in c.active_on if d <= day),
            passive_on=tuple(d for d in c.passive_on if d <= day),
            orders=tuple(order(o) for o in c.orders if o.on <= day),
            subscriptions=tuple(s for s in c.subscriptions if s.start <= day),
            feedback=(),
            loose_refunds=(),
        )
        for c in people
    ]


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_rows_changes_nothing(
    warehouse: duckdb.DuckDBPyConnection, retention_sql: Mapping[str, str], seed: int
) -> None:
    read = warehouse.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'built'"
        " and (schema_name = 'core' or schema_name = 'marts' and table_name like '%lifecycle%')"
    ).fetchall()
    for schema, table in read:
        warehouse.execute(
            f"create table {schema}.{table} as select * from built.{schema}.{table}"
            f" order by md5('{seed}' || rowid)"
        )
    for sql in retention_sql.values():
        warehouse.execute(sql)
    for name in retention_sql:
        apart = warehouse.execute(
            f"select count(*) from ((from marts.{name} except all from built.marts.{name})"
            f" union all (from built.marts.{name} except all from marts.{name}))"
        ).fetchone()
        assert apart == (0,), name
