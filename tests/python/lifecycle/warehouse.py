"""Facts in, stages out: fills the core tables of a warehouse and runs the models on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from .evaluator import (
    Brand,
    Customer,
    CustomerDay,
    Line,
    Order,
    Referral,
    Subscription,
    customer_days,
)

DAY = timedelta(days=1)
MODELS = (
    "int_lifecycle__customers",
    "int_lifecycle__order_cycles",
    "int_lifecycle__order_gaps",
    "int_lifecycle__order_spells",
    "int_lifecycle__referral_successes",
    "int_lifecycle__advocacy_spells",
    "int_lifecycle__value_scores",
    "int_lifecycle__subscription_spells",
    "int_lifecycle__business_types",
    "int_lifecycle__event_states",
    "int_lifecycle__states",
    "int_lifecycle__breakpoints",
    "customer_lifecycle_intervals",
    "customer_lifecycle_intervals_adaptive",
    "customer_lifecycle_transitions",
)

INTERVALS = {
    "fixed": "customer_lifecycle_intervals",
    "adaptive": "customer_lifecycle_intervals_adaptive",
}

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
    "fct_order_line": (
        "order_line_key varchar, order_key varchar, product_key varchar,"
        " product_version_number bigint, line_paid_amount decimal(18,4)"
    ),
    "dim_product": (
        "product_key varchar, version_number bigint, category_l1 varchar, category_l2 varchar,"
        " service_cycle_days bigint"
    ),
    "fct_referral": (
        "referral_key varchar, referrer_customer_id varchar, referee_customer_id varchar,"
        " converted_order_key varchar, invited_at timestamp, is_self_referral boolean,"
        " is_test boolean"
    ),
    "fct_feedback": (
        "feedback_key varchar, customer_id varchar, feedback_at timestamp, feedback_on date,"
        " feedback_kind varchar, score decimal(18,4), scale_max decimal(18,4), status varchar,"
        " is_test boolean"
    ),
    "fct_customer_day": "customer_id varchar, day_on date, is_active boolean",
    "fct_privacy_event": "customer_id varchar, event_on date, action varchar, is_test boolean",
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
    start = order.counts_from()
    if start is None:
        return None, None
    ends = sorted({r.on for r in order.refunds} | ({order.cancelled_on} - {None}))
    return start, next(
        (d for d in ends if d > start and d <= as_of and not order.is_valid_on(d)), None
    )


def _order_key(customer_id: str, number: int) -> str:
    return f"shop:{customer_id}-{number:04d}"


def _order_row(customer: Customer, number: int, order: Order, as_of: date) -> tuple[object, ...]:
    valid_from, valid_to = _validity(order, as_of)
    if valid_from is not None and valid_from > as_of:
        valid_from, valid_to = None, None
    is_valid = valid_from is not None and valid_to is None
    return (
        _order_key(customer.customer_id, number),
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


def _product_key(line: Line) -> str:
    return f"shop:{line.category}-{line.cycle}"


def _product_rows(lines: set[Line]) -> list[tuple[object, ...]]:
    """Each product in three versions, of which only the second is ever in force."""
    rows = []
    for line in sorted(lines, key=_product_key):
        # A category of the wider level only, for those that are named so.
        is_wide = line.category is not None and line.category.startswith("wide")
        levels = (line.category, None) if is_wide else ("all", line.category)
        if line.category is None:
            levels = (None, None)
        for number in (1, 2, 3):
            facts = (*levels, line.cycle) if number == 2 else ("old", "older", 999)
            rows.append((_product_key(line), number, *facts))
    return rows


def _referral_row(number: int, referral: Referral) -> tuple[object, ...]:
    invited = referral.invited
    return (
        f"shop:r{number}",
        referral.referrer,
        referral.referee or "-1",
        _order_key(*referral.order) if referral.order else None,
        datetime.combine(invited[0], time(8)) + timedelta(seconds=invited[1]) if invited else None,
        referral.referrer == referral.referee,
        referral.is_test,
    )


def core_rows(
    customers: Sequence[Customer], as_of: date, referrals: Sequence[Referral] = ()
) -> dict[str, list[tuple[object, ...]]]:
    """Rows of the core tables, by table, that say what the customers' facts say."""
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in CORE}
    rows["int_core__as_of"] = [(as_of, True)]
    rows["fct_referral"] = [_referral_row(n, r) for n, r in enumerate(referrals)]
    products: dict[str, Line] = {}
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
            for i, line in enumerate(order.lines):
                products[_product_key(line)] = line
                rows["fct_order_line"].append(
                    (f"{row[0]}-l{i}", row[0], _product_key(line), 2, line.amount)
                )
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
        rows["fct_feedback"] += [
            (
                f"shop:{c.customer_id}-f{i:04d}", c.customer_id,
                datetime.combine(f.on, time(8)) + timedelta(seconds=f.second), f.on, f.kind,
                f.score, f.scale, f.status, False,
            )
            for i, f in enumerate(c.feedback)
        ]  # fmt: skip
        if c.erased_on is not None:
            rows["fct_privacy_event"].append((c.customer_id, c.erased_on, "erase", False))
        active = c.active_days()
        rows["fct_customer_day"] += [
            (c.customer_id, d, d in active) for d in sorted(active | set(c.passive_on))
        ]
    rows["dim_product"] = _product_rows(set(products.values()))
    return rows


def load_core(
    connection: duckdb.DuckDBPyConnection,
    customers: Sequence[Customer],
    as_of: date,
    referrals: Sequence[Referral] = (),
) -> None:
    """Replaces the core tables that the lifecycle reads."""
    connection.execute("create schema if not exists core; create schema if not exists marts")
    for name, rows in core_rows(customers, as_of, referrals).items():
        connection.execute(f"create or replace table core.{name} ({CORE[name]})")
        if rows:
            holes = ", ".join("?" * len(rows[0]))
            values = ", ".join([f"({holes})"] * len(rows))
            flat = [value for row in rows for value in row]
            connection.execute(f"insert into core.{name} values {values}", flat)


Key = tuple[str, str, date]


def interval_days(
    connection: duckdb.DuckDBPyConnection, as_of: date
) -> dict[str, dict[Key, list[CustomerDay]]]:
    """What the intervals say by customer of every (mode, model_code, day); one element, if right."""
    return {
        customer: _days_of(rows, as_of) for customer, rows in _interval_rows(connection).items()
    }


def _interval_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    for mode, table in INTERVALS.items():
        for customer_id, *row in connection.execute(
            "select customer_id, model_code, valid_from, valid_to, stage_code, clause_id,"
            " business_type, is_lost, is_dormant, was_high_value, previous_stage_code,"
            f" cycle_number, sub_stage_code from marts.{table}"
        ).fetchall():
            found.setdefault(customer_id, []).append((mode, *row))
    return found


def _days_of(rows: Sequence[tuple], as_of: date) -> dict[Key, list[CustomerDay]]:
    found: dict[Key, list[CustomerDay]] = {}
    for mode, model, start, end, stage, clause_id, *rest in rows:
        holds = CustomerDay(stage, int(clause_id.removeprefix(f"{stage}.")), *rest)
        last = end or as_of + DAY
        for n in range((last - start).days):
            found.setdefault((mode, model, start + DAY * n), []).append(holds)
    return found


def compare(
    connection: duckdb.DuckDBPyConnection, brand: Brand
) -> tuple[int, list[tuple[object, ...]]]:
    """Customer-days compared in all models and modes, and those that differ or are not exactly one.

    One customer at a time, since a brand has millions of days.
    """
    intervals = _interval_rows(connection)
    compared, differing = 0, []
    for customer_id in sorted(intervals.keys() | brand.customers.keys()):
        found = _days_of(intervals.get(customer_id, []), brand.as_of)
        customer = brand.customers.get(customer_id)
        expected: Mapping[Key, CustomerDay] = (
            {
                (mode, model, day): holds
                for mode, model, day, holds in customer_days(brand, customer)
            }
            if customer
            else {}
        )
        compared += len(expected)
        differing += [
            (customer_id, key, expected.get(key), found.get(key))
            for key in sorted(expected.keys() | found.keys())
            if found.get(key) != [expected.get(key)]
        ]
    return compared, differing
