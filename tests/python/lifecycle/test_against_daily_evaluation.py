"""The intervals say of every customer and day what plain Python finds by looking at that day."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .evaluator import Brand, Customer, Referral
from .populations import random_customer, random_population, random_referrals
from .warehouse import INTERVALS, Compiled, compare, interval_days, load_core

START = date(2023, 4, 20)


def differing_days(
    connection: duckdb.DuckDBPyConnection,
    compiled: Compiled,
    customers: Sequence[Customer],
    referrals: Sequence[Referral],
    as_of: date,
) -> tuple[int, list[tuple[object, ...]]]:
    """Builds the models from the facts and compares them day by day."""
    load_core(connection, customers, as_of, referrals)
    compiled.run(connection)
    return compare(connection, Brand(customers, as_of, referrals))


def test_two_years_of_a_random_population(
    empty_warehouse: duckdb.DuckDBPyConnection, compiled: Compiled, as_of: date
) -> None:
    customers = random_population(20, 240, START, (as_of - START).days)
    referrals = random_referrals(random.Random(20), customers)
    compared, differing = differing_days(empty_warehouse, compiled, customers, referrals, as_of)
    assert differing[:3] == []
    assert compared > 750_000
    # Every clause of the shipped rules decided some day: nothing is equal by never being asked.
    reached = empty_warehouse.execute(
        "select distinct model_code, clause_id,"
        " business_type in ('saas', 'education', 'content_game')"
        " from marts.customer_lifecycle_intervals"
    ).fetchall()
    written = empty_warehouse.execute(
        "select distinct model_code, stage_code || '.' || clause, business_type <> '*'"
        " from seeds.lifecycle_rule"
    ).fetchall()
    assert set(written) - set(reached) == set()
    # The modes differ, or the adaptive one was not looked at.
    apart = empty_warehouse.execute(
        "select count(*) from (select customer_id, model_code, valid_from, stage_code"
        f" from marts.{INTERVALS['adaptive']} except select customer_id, model_code, valid_from,"
        f" stage_code from marts.{INTERVALS['fixed']})"
    ).fetchone()[0]
    assert apart > 100


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8, unique=True),
    horizon=st.integers(1, 260),
    as_of=st.dates(date(2023, 10, 25), date(2024, 3, 5)),
)
def test_any_small_population(
    empty_warehouse: duckdb.DuckDBPyConnection,
    compiled: Compiled,
    seeds: list[int],
    horizon: int,
    as_of: date,
) -> None:
    customers = [
        random_customer(random.Random(seed), f"c_{n}", as_of - timedelta(days=horizon), horizon)
        for n, seed in enumerate(seeds)
    ]
    referrals = random_referrals(random.Random(seeds[0]), customers)
    _, differing = differing_days(empty_warehouse, compiled, customers, referrals, as_of)
    assert differing[:3] == []


def test_as_of_a_past_day_is_the_history_up_to_it(
    empty_warehouse: duckdb.DuckDBPyConnection, compiled: Compiled, as_of: date
) -> None:
    """A run looked at from an earlier day gives the same days, cut off at that day."""
    customers = random_population(21, 80, START, (as_of - START).days)
    load_core(empty_warehouse, customers, as_of, random_referrals(random.Random(21), customers))
    compiled.run(empty_warehouse)
    later = interval_days(empty_warehouse, as_of)
    earlier_on = as_of - timedelta(days=200)
    # The facts stay those of the later day: a model must not look beyond its own as_of.
    empty_warehouse.execute(f"update core.int_core__as_of set as_of = date '{earlier_on}'")
    compiled.run(empty_warehouse)
    earlier = interval_days(empty_warehouse, earlier_on)
    cut = {
        customer: {key: holds for key, holds in days.items() if key[2] <= earlier_on}
        for customer, days in later.items()
    }
    assert earlier == {customer: days for customer, days in cut.items() if days}


def test_delivery_in_any_order_gives_the_same_rows(
    empty_warehouse: duckdb.DuckDBPyConnection, compiled: Compiled, as_of: date
) -> None:
    customers = random_population(22, 60, START, (as_of - START).days)
    referrals = random_referrals(random.Random(22), customers)
    rows = []
    for threads in (1, 4):
        load_core(empty_warehouse, customers, as_of, referrals)
        empty_warehouse.execute(f"set threads = {threads}")
        compiled.run(empty_warehouse)
        rows.append(
            [
                empty_warehouse.execute(f"select * from marts.{table} order by all").fetchall()
                for table in INTERVALS.values()
            ]
        )
        customers = customers[::-1]
    assert rows[0] == rows[1]
