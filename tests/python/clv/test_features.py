"""What predictions are made from: the state at any day, against core's facts up to that day only."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.clv.cuts import Facts, day_number

# What depends on the planted facts, in the order in which it builds.
MODELS = (
    "int_core__order_states",
    "fct_order",
    "fct_refund",
    "fct_order_line",
    "int_clv__order_margins",
    "int_clv__day_changes",
)
STATE = """
    select
        customer_id, order_day_on, sum(order_delta) as orders, sum(net_sales_delta) as net_sales,
        sum(margin_delta) as margin
    from marts.int_clv__day_changes
    where known_on <= ?
    group by customer_id, order_day_on
    having sum(order_delta) > 0
"""
CENT = Decimal("0.01")
FOUR = Decimal("0.0001")


@pytest.fixture(scope="module")
def demo(demo_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> list[dict]:
    answer = connection.execute(sql, values)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _state(connection: duckdb.DuckDBPyConnection, day: date) -> dict[tuple, tuple]:
    return {row[:2]: row[2:] for row in connection.execute(STATE, [day]).fetchall()}


def _recomputed(connection: duckdb.DuckDBPyConnection, day: date) -> dict[tuple, tuple]:
    """The state as somebody would have written it down on that day, from facts dated up to it."""
    counted = {
        row["customer_id"]
        for row in _rows(connection, "from core.dim_customer")
        if not (row["is_unknown"] or row["is_anonymous"] or row["is_test"])
    }
    versions = defaultdict(list)
    for row in _rows(connection, "from core.dim_product order by valid_from"):
        # The business day ends at 16:00 UTC.
        if row["valid_from"] < datetime(day.year, day.month, day.day, 16):
            versions[row["product_key"]].append(row)
    refunds = defaultdict(list)
    for row in _rows(connection, "from core.int_core__refunds where refunded_on <= ?", day):
        if row["is_completed"] and row["order_key"]:
            refunds[row["order_key"]].append(row)
    lines = defaultdict(list)
    for row in _rows(connection, "from core.fct_order_line where ordered_on <= ?", day):
        lines[row["order_key"]].append(row)

    found: dict[tuple, list] = defaultdict(lambda: [0, None, None])
    for order in _rows(connection, "from core.int_core__orders where ordered_on <= ?", day):
        back = refunds[order["order_key"]]
        if (
            order["customer_id"] not in counted
            or order["is_test"]
            or order["order_kind"] not in (None, "sale")
            or order["original_paid_amount"] <= 0
            or order["paid_on"] is None
            or order["paid_on"] > day
            or (order["cancelled_on"] or date.max) <= day
            or (order["status"] == "cancelled" and order["cancelled_on"] is None)
            or sum(r["amount_in_order_currency"] or 0 for r in back)
            >= order["original_paid_amount"]
        ):
            continue
        entry = found[order["customer_id"], order["ordered_on"]]
        entry[0] += 1
        if order["paid_amount"] is None:
            continue
        entry[1] = (entry[1] or 0) + order["paid_amount"] - sum(r["refund_amount"] for r in back)
        margins = [
            _margin(line, versions[line["product_key"]], order["ordered_at"])
            for line in lines[order["order_key"]]
        ]
        if any(margin is not None for margin in margins):
            kept = [r["refund_kind"] in ("price_adjust", "chargeback") for r in back]
            returned = sum(r["refund_amount"] for r, k in zip(back, kept, strict=True) if not k)
            given = sum(r["refund_amount"] for r, k in zip(back, kept, strict=True) if k)
            margin = sum(m for m in margins if m is not None)
            entry[2] = (entry[2] or 0) + margin * (1 - returned / order["paid_amount"]) - given
    return {key: tuple(entry) for key, entry in found.items()}


def _margin(line: Mapping, versions: list[dict], ordered_at: datetime) -> Decimal | None:
    if line["margin_source"] != "product":
        return line["margin_amount"]
    in_force = [v for v in versions if v["valid_from"] <= ordered_at]
    assert in_force, "a line has a cost from a version that nobody knew then"
    version = in_force[-1]
    if version["unit_cost_amount"] is None:
        margin = line["line_paid_amount"] * version["margin_rate"]
    else:
        margin = line["line_paid_amount"] - line["quantity"] * version["unit_cost_amount"]
    return margin.quantize(FOUR, ROUND_HALF_UP)


def _assert_same(found: dict[tuple, tuple], expected: dict[tuple, tuple]) -> None:
    assert found.keys() == expected.keys()
    for key, (orders, net_sales, margin) in found.items():
        assert (orders, net_sales) == expected[key][:2], key
        assert (margin is None) == (expected[key][2] is None), key
        assert margin is None or abs(margin - expected[key][2]) < CENT, key


def test_today_the_changes_add_up_to_what_customers_have_spent(
    demo: duckdb.DuckDBPyConnection,
) -> None:
    wrong = _rows(demo, """
        with as_of as (from core.int_core__as_of),
        days as (
            select customer_id, count(*) as order_days, min(order_day_on) as first_on, max(order_day_on) as last_on
            from (
                select customer_id, order_day_on from marts.int_clv__day_changes
                where order_day_on is not null group by all having sum(order_delta) > 0
            ) group by customer_id
        ),
        sums as (
            select customer_id, sum(order_delta) as orders, sum(net_sales_delta) as net_sales, sum(margin_delta) as margin
            from marts.int_clv__day_changes group by customer_id
        ),
        facts as (
            select customer_id, count(distinct ordered_on) as order_days from core.fct_order where is_valid group by customer_id
        )
        select clv.customer_id
        from marts.customer_clv as clv
        join as_of on clv.as_of = as_of.as_of
        left join sums using (customer_id) left join days using (customer_id) left join facts using (customer_id)
        where coalesce(sums.orders, 0) <> clv.order_count
            or coalesce(sums.net_sales, 0) <> clv.net_sales_amount
            or coalesce(abs(sums.margin - clv.gross_profit_lifetime), 0) > 0.01
            or coalesce(days.order_days, 0) <> coalesce(facts.order_days, 0)
            or days.first_on is distinct from clv.first_order_on
            or days.last_on is distinct from clv.last_order_on
    """)  # fmt: skip
    assert wrong == []
    left_out = _rows(demo, """
        select customer_id from marts.int_clv__day_changes
        union select customer_id from marts.customer_clv where as_of = (select as_of from core.int_core__as_of)
        except select customer_id from marts.int_clv__prospects
    """)  # fmt: skip
    assert left_out == []


def test_days_add_up_to_what_customers_have_been_worth(demo: duckdb.DuckDBPyConnection) -> None:
    wrong = _rows(demo, """
        with days as (
            select
                customer_id, sum(order_count) as orders, sum(net_sales_amount) as net_sales, sum(margin_amount) as margin,
                sum(coalesce(service_cost_amount, 0) + coalesce(touch_cost_amount, 0) + coalesce(benefit_cost_amount, 0)) as costs,
                min(day_on) filter (order_count > 0) as first_on, count(*) filter (order_count > 0) - 1 as frequency
            from marts.clv_customer_day group by customer_id
        )
        select clv.customer_id
        from marts.customer_clv as clv
        join core.int_core__as_of as as_of on clv.as_of = as_of.as_of
        left join days using (customer_id)
        where coalesce(days.orders, 0) <> clv.order_count
            or coalesce(days.net_sales, 0) <> clv.net_sales_amount
            or coalesce(abs(days.margin - clv.gross_profit_lifetime), 0) > 0.01
            or abs(coalesce(days.costs, 0) - clv.maintenance_amount) > 0.01
            or days.first_on is distinct from clv.first_order_on
            or (clv.order_count > 0 and days.frequency <> clv.frequency)
            or clv.recency_age_days + clv.days_since_last_order <> clv.tenure_days
            or abs(clv.historic_margin_amount - coalesce(days.margin, 0) + days.costs) > 0.01
    """)  # fmt: skip
    assert wrong == []
    (found,) = _rows(demo, """
        select
            count(distinct margin_source) as sources, sum(service_cost_amount) as service, sum(touch_cost_amount) as touch,
            sum(benefit_cost_amount) as benefit
        from marts.clv_customer_day
    """)  # fmt: skip
    assert found["sources"] and all(found.values())


@pytest.mark.parametrize("place", [0, 5])
def test_statistics_are_what_models_are_fitted_on(
    demo: duckdb.DuckDBPyConnection, place: int
) -> None:
    """Grouped in SQL, and from the changes by Python: of today, and of a month end as it was known then."""
    days = demo.execute("select distinct as_of from marts.clv_sufficient_statistic").fetchall()
    as_of, day = max(days)[0], sorted(days, reverse=True)[place][0]
    relations = (demo.table(f"marts.int_clv__{name}") for name in ("day_changes", "prospects"))
    facts = Facts(*(relation.to_arrow_table() for relation in relations), as_of)
    expected: Counter = Counter()
    for contractual in (False, True):
        rows = facts.cut(day_number(day), contractual=contractual).statistics
        name = "contractual" if contractual else "noncontractual"
        for key in zip(rows.x, rows.t_x, rows.T, rows.weight, strict=True):
            expected[(name, *map(int, key[:3]))] += int(key[3])
    found = demo.execute(
        """
        select relationship_type, frequency, recency_age_days, tenure_days, customer_count
        from marts.clv_sufficient_statistic where as_of = ?
        """,
        [day],
    ).fetchall()
    assert {row[:4]: row[4] for row in found} == expected
    assert expected.total() > len(expected) > 50


@pytest.mark.parametrize("days_ago", [0, 45, 183, 400])
def test_the_state_of_a_past_day_is_what_was_known_then(
    demo: duckdb.DuckDBPyConnection, days_ago: int
) -> None:
    as_of = demo.execute("select as_of from core.int_core__as_of").fetchone()[0]
    day = as_of - timedelta(days=days_ago)
    expected = _recomputed(demo, day)
    assert len(expected) > 50
    _assert_same(_state(demo, day), expected)


class Planted:
    """The demo twice, the second time with one fact of each kind after a cut; and what the models say of both."""

    def __init__(self, demo_root: Path, compiled: dict[str, str], folder: Path) -> None:
        self.compiled = {name: compiled[name] for name in MODELS}
        self.connections = {}
        for name in ("without", "with"):
            # The catalogue has the file's name, which compiled SQL refers to.
            (folder / name).mkdir()
            shutil.copy(demo_root / "warehouse.duckdb", folder / name)
            self.connections[name] = duckdb.connect(str(folder / name / "warehouse.duckdb"))
        connection = self.connections["with"]
        self.as_of = connection.execute("select as_of from core.int_core__as_of").fetchone()[0]
        self.cut = self.as_of - timedelta(days=120)
        self.kinds = _plant(connection, self.cut, self.cut + timedelta(days=2))

    def states(self, day: date, leak: tuple[str, str, str] | None = None) -> list[dict]:
        """The state of a day without and with the planted facts. A leak puts something else in place of a piece of a
        model's SQL."""
        found = []
        for connection in self.connections.values():
            for name, sql in self.compiled.items():
                schema = "marts" if name.startswith("int_clv") else "core"
                if leak and leak[0] == name:
                    assert leak[1] in sql, f"{name} has changed: the leak must be planted elsewhere"
                    sql = sql.replace(leak[1], leak[2])
                connection.execute(f"create or replace table {schema}.{name} as {sql}")
            found.append(_state(connection, day))
        return found

    def changed(self, day: date, leak: tuple[str, str, str] | None = None) -> set[str]:
        """Customers of whom the planted facts have changed what is known on a day."""
        without, planted = self.states(day, leak)
        both = without.keys() | planted.keys()
        return {key[0] for key in both if without.get(key) != planted.get(key)}


@pytest.fixture(scope="module")
def planted(
    demo_root: Path, compiled_models: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Planted]:
    found = Planted(demo_root, compiled_models, tmp_path_factory.mktemp("planted"))
    yield found
    for connection in found.connections.values():
        connection.close()


def test_nothing_dated_after_the_cut_reaches_it(planted: Planted) -> None:
    """One fact of each kind is planted after the cut: the state there stays, today's changes."""
    assert planted.changed(planted.cut) == set()
    connection = planted.connections["with"]
    _assert_same(_state(connection, planted.cut), _recomputed(connection, planted.cut))
    today = planted.changed(planted.as_of)
    assert {kind for kind, customers in planted.kinds.items() if not customers & today} == set()


# What each kind of leak would look like in the models: (model, what it says, what a leaky one would say).
DAY_CHANGES = "int_clv__day_changes"
LEAKS = {
    "order": (DAY_CHANGES, "valid_from_on as known_on", "date '2000-01-01' as known_on"),
    "payment": (DAY_CHANGES, "valid_from_on as known_on", "ordered_on as known_on"),
    "refund": (
        DAY_CHANGES,
        "greatest(refunds.refunded_on, orders.valid_from_on) as known_on",
        "orders.valid_from_on as known_on",
    ),
    "cancellation": (DAY_CHANGES, "valid_to_on as known_on", "known_on"),
    "price version": (
        "fct_order_line",
        "and v.ordered_at >= p.valid_from\n            and v.ordered_at < p.valid_to",
        "and p.valid_to > timestamp '9000-01-01'",
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_model_that_leaks_is_caught(planted: Planted, kind: str) -> None:
    """The test above can fail: by the planted fact of the kind, and for the customer whom it is about."""
    assert planted.changed(planted.cut, LEAKS[kind]) & planted.kinds[kind]


def test_landing_time_plays_no_part(planted: Planted) -> None:
    """What is landed late but dated before the cut belongs to it; nothing that features are made from knows when it came."""
    connection = planted.connections["without"]
    columns = connection.execute(
        """
        select table_name || '.' || column_name from information_schema.columns
        where table_name in ('int_core__orders', 'int_core__refunds', 'dim_product', 'fct_order', 'fct_refund', 'fct_order_line')
            and (column_name like '%landed%' or column_name like '%loaded%')
        """
    ).fetchall()
    assert columns == []
    assert not any("landed_at" in sql or "loaded_at" in sql for sql in planted.compiled.values())


def _plant(connection: duckdb.DuckDBPyConnection, cut: date, later: date) -> dict[str, set[str]]:
    """Facts after the cut by kind, with the customers whose state it can change."""
    orders = connection.execute(
        """
        select min(order_key), customer_id from core.fct_order
        join marts.int_clv__prospects using (customer_id)
        where valid_from_on <= ? and valid_to_on is null and net_amount > 10 and refunded_amount = 0
        group by customer_id order by customer_id limit 4
        """,
        [cut],
    ).fetchall()
    (order, buyer), (paid, payer), (refund, returner), (cancelled, canceller) = orders
    for key, ordered_on, source in (
        ("planted:order", later, order),
        ("planted:payment", cut - timedelta(days=3), paid),
    ):
        connection.execute(
            """
            insert into core.int_core__orders by name
            select * replace (? as order_key, ? as ordered_on, ? as paid_on, cast(? as timestamp) as ordered_at)
            from core.int_core__orders where order_key = ?
            """,
            [key, ordered_on, later, ordered_on, source],
        )
    connection.execute(
        "update core.int_core__orders set cancelled_on = ?, status = 'cancelled' where order_key = ?",
        [later, cancelled],
    )
    connection.execute(
        """
        insert into core.int_core__refunds by name
        select * replace (
            'planted:refund' as refund_key, ? as order_key, ? as customer_id, ? as refunded_on, cast(? as timestamp) as refunded_at,
            true as is_completed, false as is_test, 'refund' as refund_kind, 1 as amount_in_order_currency, 1 as refund_amount
        ) from core.int_core__refunds limit 1
        """,
        [refund, returner, later, later],
    )
    product = connection.execute(
        """
        select product_key from core.fct_order_line join core.dim_product using (product_key)
        where is_current and ordered_on > ? and margin_source = 'product' and dim_product.unit_cost_amount is not null and valid_from < ?
        group by product_key order by count(*) desc, product_key limit 1
        """,
        [later, cut],
    ).fetchone()[0]
    connection.execute(
        """
        insert into core.dim_product by name
        select * replace (
            cast(? as timestamp) as valid_from, unit_cost_amount + 1 as unit_cost_amount, version_number + 1 as version_number
        ) from core.dim_product where product_key = ? and is_current
        """,
        [later, product],
    )
    connection.execute(
        """
        update core.dim_product set valid_to = cast(? as timestamp), is_current = false
        where product_key = ? and is_current and valid_from < cast(? as timestamp)
        """,
        [later, product, later],
    )
    customers = connection.execute(
        "select distinct customer_id from core.fct_order_line where product_key = ?",
        [product],
    ).fetchall()
    return {
        "order": {buyer},
        "payment": {payer},
        "refund": {returner},
        "cancellation": {canceller},
        "price version": {row[0] for row in customers} - {buyer, payer, returner, canceller},
    }
