"""Facts in, stages out: fills the core tables of a warehouse and runs the models on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from .evaluator import Customer, CustomerDay, Order, Subscription

DAY = timedelta(days=1)
MODELS = (
    "int_lifecycle__customers",
    "int_lifecycle__order_spells",
    "int_lifecycle__activity_spells",
    "int_lifecycle__value_scores",
    "int_lifecycle__subscription_spells",
    "int_lifecycle__business_types",
    "int_lifecycle__states",
    "int_lifecycle__breakpoints",
    "customer_lifecycle_intervals",
    "customer_lifecycle_transitions",
)

# The columns of core that the lifecycle reads.
CORE = {
    "int_core__as_of": "as_of date, is_given boolean",
    "dim_date": "date_on date, month_on date, is_month_end boolean",
    "dim_customer": (
        "customer_id varchar, is_unknown boolean, is_anonymous boolean, is_test boolean,"
        " first_touch_on date, registered_on date, business_unit varchar"
    ),
    "fct_order": (
        "order_key varchar, customer_id varchar, ordered_at timestamp, ordered_on date,"
        " valid_from_on date, valid_to_on date, is_valid boolean, business_type varchar,"
        " business_unit varchar, paid_amount decimal(18,4),"
        " is_test boolean"
    ),
    "fct_refund": (
        "refund_key varchar, order_key varchar, customer_id varchar, refunded_on date,"
        " is_completed boolean, refund_amount decimal(18,4), is_test boolean"
    ),
    "fct_customer_day": "customer_id varchar, day_on date, is_active boolean",
    "fct_subscription": (
        "subscription_key varchar, customer_id varchar, status varchar, start_at timestamp,"
        " start_on date,"
        " trial_end_at timestamp, current_period_end_at timestamp, cancelled_at timestamp,"
        " ended_at timestamp, is_test boolean"
    ),
}


@dataclass(frozen=True)
class Compiled:
    """The lifecycle models as dbt compiled them, in the order in which they are built."""

    statements: tuple[tuple[str, str], ...]

    @classmethod
    def from_target(cls, target: Path) -> Compiled:
        """Reads `target/manifest.json`; raises KeyError when a model was not compiled."""
        nodes = json.loads((target / "manifest.json").read_text())["nodes"]
        found = {name: nodes[f"model.perennial.{name}"] for name in MODELS}
        return cls(tuple((node["relation_name"], node["compiled_code"]) for node in found.values()))

    def run(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Builds every model anew from the core tables."""
        for relation, sql in self.statements:
            connection.execute(f"create or replace table {relation} as {sql}")


def _validity(order: Order, as_of: date) -> tuple[date | None, date | None]:
    """First day on which an order counts and first day on which it no longer does."""
    start = max(order.on, order.paid_on) if order.paid_on else None
    if start is None or not order.is_valid_on(start):
        return None, None
    ends = sorted({r.on for r in order.refunds} | ({order.cancelled_on} - {None}))
    return start, next(
        (d for d in ends if d > start and d <= as_of and not order.is_valid_on(d)), None
    )


def _order_row(customer: Customer, number: int, order: Order, as_of: date) -> tuple[object, ...]:
    valid_from, valid_to = _validity(order, as_of)
    if valid_from is not None and valid_from > as_of:
        valid_from, valid_to = None, None
    is_valid = valid_from is not None and valid_to is None
    return (
        f"shop:{customer.customer_id}-{number:04d}",
        customer.customer_id,
        datetime.combine(order.on, time(8)) + timedelta(seconds=order.second),
        order.on,
        valid_from,
        valid_to,
        is_valid,
        order.business_type,
        f"unit of {order.unit_type}" if order.unit_type else None,
        order.amount if order.has_rate else None,
        order.is_test,
    )


def _moment(day: date | None) -> datetime | None:
    """A moment on a local day of the business time zone, in UTC."""
    return datetime.combine(day, time(8)) if day else None


def _subscription_row(customer: Customer, number: int, terms: Subscription) -> tuple[object, ...]:
    is_trial = terms.paid_from is None
    return (
        f"shop:{customer.customer_id}-s{number}",
        customer.customer_id,
        "trialing" if is_trial else "active",
        _moment(terms.start),
        terms.start,
        _moment(terms.paid_from) if terms.paid_from != terms.start else None,
        _moment(terms.period_end),
        None,
        _moment(terms.end),
        False,
    )


def core_rows(customers: Sequence[Customer], as_of: date) -> dict[str, list[tuple[object, ...]]]:
    """Rows of the core tables, by table, that say what the customers' facts say."""
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in CORE}
    rows["int_core__as_of"] = [(as_of, True)]
    rows["dim_customer"] = [("-1", True, False, False, None, None, None)]
    days = [as_of - DAY * n for n in range(-40, 1200)]
    rows["dim_date"] = [(d, d.replace(day=1), (d + DAY).day == 1) for d in days]
    for c in customers:
        unit = f"unit of {c.unit_type}" if c.unit_type else None
        rows["dim_customer"].append(
            (c.customer_id, False, False, c.is_test, c.first_touch(), c.registered_on, unit)
        )
        for number, order in enumerate(c.orders):
            row = _order_row(c, number, order, as_of)
            rows["fct_order"].append(row)
            rows["fct_refund"] += [
                (f"{row[0]}-r{i}", row[0], c.customer_id, r.on, r.is_completed, r.amount, False)
                for i, r in enumerate(order.refunds)
            ]
        rows["fct_refund"] += [
            (f"{c.customer_id}-l{i}", None, c.customer_id, r.on, r.is_completed, r.amount, False)
            for i, r in enumerate(c.loose_refunds)
        ]
        rows["fct_subscription"] += [
            _subscription_row(c, i, terms) for i, terms in enumerate(c.subscriptions)
        ]
        active = c.active_days()
        rows["fct_customer_day"] += [
            (c.customer_id, d, d in active) for d in sorted(active | set(c.passive_on))
        ]
    return rows


def load_core(
    connection: duckdb.DuckDBPyConnection, customers: Sequence[Customer], as_of: date
) -> None:
    """Replaces the core tables that the lifecycle reads."""
    connection.execute("create schema if not exists core; create schema if not exists marts")
    for name, rows in core_rows(customers, as_of).items():
        connection.execute(f"create or replace table core.{name} ({CORE[name]})")
        if rows:
            holes = ", ".join("?" * len(rows[0]))
            values = ", ".join([f"({holes})"] * len(rows))
            flat = [value for row in rows for value in row]
            connection.execute(f"insert into core.{name} values {values}", flat)


def interval_days(
    connection: duckdb.DuckDBPyConnection, as_of: date
) -> dict[tuple[str, str, date], list[CustomerDay]]:
    """What the intervals say of every (customer_id, model_code, day); one element, if right."""
    found: dict[tuple[str, str, date], list[CustomerDay]] = {}
    rows = connection.execute(
        "select customer_id, model_code, valid_from, valid_to, stage_code, clause_id,"
        " business_type, is_lost, is_dormant, was_high_value, previous_stage_code, cycle_number"
        " from marts.customer_lifecycle_intervals"
    ).fetchall()
    for customer_id, model, start, end, stage, clause_id, *rest in rows:
        holds = CustomerDay(stage, int(clause_id.removeprefix(f"{stage}.")), *rest)
        last = end or as_of + DAY
        for n in range((last - start).days):
            found.setdefault((customer_id, model, start + DAY * n), []).append(holds)
    return found
