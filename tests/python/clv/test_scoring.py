"""Scores of batches, and the tables that carry parameters."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rendered import macros

from orchestration.clv import gamma_gamma, tables
from orchestration.clv.fitting import Fit
from orchestration.clv.history import history
from orchestration.clv.quadrature import beta_nodes
from orchestration.clv.scoring import HORIZONS, INPUT, ORDER_MODELS, output_schema, score
from orchestration.errors import UserError

COVARIANCE = ((0.01, 0.002), (0.002, 0.03))
DROPOUT = {"r": 0.55, "alpha": 45.0, "a": 0.8, "b": 2.4}
ORDERS = {
    "bg_nbd": Fit("bg_nbd", "ok", 900, DROPOUT, (), -10.0, True),
    "mbg_nbd": Fit("mbg_nbd", "ok", 900, DROPOUT, (), -10.0, True),
    "slow dropout": Fit("mbg_nbd", "ok", 900, DROPOUT | {"a": 0.02, "b": 0.3}, (), -10.0, True),
    "all alike": Fit(
        "mbg_nbd",
        "flat_likelihood",
        900,
        {"r": 153053.1, "alpha": 30725621.0, "a": 5299.6, "b": 162754.8},
        (),
        -10.0,
        True,
    ),
    "no churn": Fit(
        "mbg_nbd", "no_churn_identified", 900, {"r": 0.5, "alpha": 45.0}, COVARIANCE, -11.0, True
    ),
    "pareto_nbd": Fit(
        "pareto_nbd", "ok", 900, {"r": 0.55, "alpha": 45.0, "s": 0.6, "beta": 80.0}, (), -9.0, True
    ),
}
VALUES = {
    "gamma_gamma": Fit("gamma_gamma", "ok", 700, {"p": 6.0, "q": 4.0, "gamma": 40.0}),
    "credibility": Fit("credibility", "ok", 700, {"mean_value": 70.0, "prior_orders": 0.7}),
}
VALUE = VALUES["gamma_gamma"]
RUN = tables.Run(
    "run 1",
    date(2026, 6, 30),
    scope="shop",
    last_order_at=datetime(2026, 6, 30, 12),
    statistics_row_count=3,
    statistics_hash="abc",
    code_commit="def",
    versions={"numpy": "2.4"},
    config={"priors": None},
    champion="mbg_nbd",
)


@pytest.fixture(scope="module")
def batch() -> pa.RecordBatch:
    """Customers of all kinds; first one of 2,000 orders, one of T = 0, one refunded above orders."""
    rng = np.random.default_rng(1)
    x = np.where(rng.random(800) < 0.5, 0, rng.poisson(5, 800))
    T = x + rng.integers(0, 700, 800)
    t_x = np.where(x > 0, np.maximum(np.floor(T * rng.uniform(0.2, 1, 800)), 1), 0)
    z = np.where(x > 0, rng.gamma(5, 10, 800), np.nan)
    x[:3], t_x[:3], T[:3], z[:3] = (2000, 0, 2), (2490, 0, 40), (2500, 0, 90), (30, np.nan, -20)
    columns = [x, t_x.astype(float), T.astype(float), x + 1, z]
    names = ["frequency", "recency_age_days", "tenure_days", "value_order_count", "mean_value"]
    return pa.record_batch([pa.array(column, from_pandas=True) for column in columns], names)


def columns_of(scores: pa.RecordBatch | pa.Table) -> dict[str, np.ndarray]:
    return {name: np.array(scores[name].to_pylist(), float) for name in output_schema().names}


@pytest.mark.parametrize("orders", ORDERS.values(), ids=ORDERS)
def test_scores_add_up(orders: Fit, batch: pa.RecordBatch) -> None:
    scored = columns_of(score(batch, orders, VALUE))
    months = np.array([scored[f"orders_month_{month:02}"] for month in range(1, 13)])
    assert months.sum(axis=0) == pytest.approx(scored["expected_orders_365"], rel=1e-12)
    assert (months > 0).all()
    # What orders in the middle of their months are worth is what the year is worth.
    middle = (np.arange(12) + 0.5) / 12
    assert 1.1**-middle @ months == pytest.approx(scored["discounted_orders_365"], rel=1e-12)
    for name in ("expected_orders", "discounted_orders", "p_order"):
        rising = np.diff([scored[f"{name}_{days}"] for days in HORIZONS], axis=0)
        assert (rising > -1e-12).all() and (rising > 0).any()
    for days in HORIZONS:
        orders_in, discounted = (
            scored[f"expected_orders_{days}"],
            scored[f"discounted_orders_{days}"],
        )
        assert (discounted < orders_in).all() and (discounted > orders_in / 1.1).all()
        value = discounted * scored["expected_order_value"]
        assert scored[f"discounted_value_{days}"] == pytest.approx(value)
    assert (np.isnan(scored["p_alive"])).all() == (orders.status == "no_churn_identified")
    assert (scored["expected_order_value"] > 0).all()


def test_scores_are_the_models(batch: pa.RecordBatch) -> None:
    fit, model = ORDERS["mbg_nbd"], ORDER_MODELS["mbg_nbd"]
    scored = columns_of(score(batch, fit, VALUE))
    x, t_x, T, orders, z = (np.array(column.to_pylist(), float) for column in batch.columns)
    given = history(x, t_x, T)
    assert (scored["p_alive"] == model.p_alive(DROPOUT, given)).all()
    for days in HORIZONS:
        expected = model.expected_orders(DROPOUT, given, days)
        assert scored[f"expected_orders_{days}"] == pytest.approx(expected, rel=1e-12)
        assert (scored[f"p_order_{days}"] == model.p_order(DROPOUT, given, days)).all()
    each = gamma_gamma.expected_value(VALUE, orders, z)
    assert (scored["expected_order_value"] == each).all()


def test_no_discount_is_no_discount(batch: pa.RecordBatch) -> None:
    scored = columns_of(score(batch, ORDERS["mbg_nbd"], VALUE, annual_discount_rate=0))
    for days in HORIZONS:
        assert scored[f"discounted_orders_{days}"] == pytest.approx(
            scored[f"expected_orders_{days}"], rel=1e-12
        )


def test_what_is_not_known_is_null(batch: pa.RecordBatch) -> None:
    nothing = score(batch, Fit("mbg_nbd", "too_few_customers", 3), VALUE)
    assert nothing.schema == output_schema() and nothing.num_rows == batch.num_rows
    assert all(column.null_count == batch.num_rows for column in nothing.columns)
    no_value = score(batch, ORDERS["mbg_nbd"], Fit("gamma_gamma", "infinite_mean", 9), horizons=[7])
    assert no_value["expected_order_value"].null_count == batch.num_rows
    assert no_value["expected_orders_7"].null_count == 0
    assert score(batch.slice(0, 0), ORDERS["mbg_nbd"], VALUE).num_rows == 0


def test_impossible_batches_are_refused(batch: pa.RecordBatch) -> None:
    with pytest.raises(UserError, match="tenure_days"):
        score(batch.drop_columns(["tenure_days"]), ORDERS["mbg_nbd"])
    swapped = batch.set_column(1, "recency_age_days", batch["tenure_days"]).set_column(
        2, "tenure_days", batch["recency_age_days"]
    )
    with pytest.raises(UserError, match="t_x"):
        score(swapped, ORDERS["mbg_nbd"])


def sql_scores(
    batch: pa.RecordBatch, orders: Fit, value: Fit, annual_discount_rate: float
) -> pa.Table:
    written = tables.to_tables(RUN, [orders, value], batch["frequency"])
    sql = macros(("clv/scoring.sql",), {})
    con = duckdb.connect()
    keyed = pa.Table.from_batches([batch]).append_column("id", pa.array(range(batch.num_rows)))
    con.register("histories", keyed)
    con.register("nodes", written.nodes)
    con.register("written", written.parameters)
    con.execute(f"create table parameters as select {sql['clv_parameter_columns']()} from written")
    query = sql["clv_scores"]("histories", ["id"], "parameters", "nodes", annual_discount_rate)
    return con.execute(f"select * from ({query}) as scores order by id").to_arrow_table()


@pytest.mark.parametrize("orders", ["bg_nbd", "mbg_nbd", "slow dropout", "all alike", "no churn"])
@pytest.mark.parametrize(("value", "discount"), [("gamma_gamma", 0.1), ("credibility", 0.0)])
def test_sql_says_the_same(orders: str, value: str, discount: float, batch: pa.RecordBatch) -> None:
    answer = sql_scores(batch, ORDERS[orders], VALUES[value], discount)
    assert answer.column_names == ["id", *output_schema().names]
    expected = columns_of(score(batch, ORDERS[orders], VALUES[value], discount))
    for name, found in columns_of(answer).items():
        assert found == pytest.approx(expected[name], rel=1e-8, nan_ok=True), name


def test_sql_leaves_to_python_what_it_cannot_say(batch: pa.RecordBatch) -> None:
    answer = sql_scores(batch, ORDERS["pareto_nbd"], VALUE, 0.1)
    assert answer.num_rows == batch.num_rows
    for name in ("p_alive", "expected_orders_365", "discounted_value_365"):
        assert answer[name].null_count == batch.num_rows


def test_without_repeat_business_next_to_nothing_is_expected() -> None:
    rng = np.random.default_rng(2)
    T, z = rng.integers(0, 700, 500).astype(float), rng.gamma(5, 10, 500)
    orders = ORDER_MODELS["mbg_nbd"].fit(history(np.zeros(500), 0, T))
    value = gamma_gamma.fit_credibility(np.ones(500), z)
    assert orders.status == gamma_gamma.fit(np.ones(500), z).status == "no_repeat_buyers"
    columns = [np.zeros(500), np.zeros(500), T, np.ones(500), z]
    batch = pa.record_batch([pa.array(column) for column in columns], list(INPUT))
    scored = columns_of(score(batch, orders, value))
    assert np.isnan(scored["p_alive"]).all()
    assert 0 < scored["discounted_value_365"].sum() < z.sum() / 500
    in_sql = columns_of(sql_scores(batch, orders, value, 0.1))
    for name, found in in_sql.items():
        assert found == pytest.approx(scored[name], rel=1e-8, nan_ok=True), name


def test_fits_survive_their_tables(tmp_path: Path) -> None:
    fits = [*(ORDERS[name] for name in ("bg_nbd", "no churn", "pareto_nbd")), VALUE]
    written = tables.to_tables(RUN, fits, [0, 1, 1, 7])
    names = ("runs", "parameters", "covariance", "nodes")
    for name, table in zip(names, written, strict=True):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    read = tables.Tables(*(pq.read_table(tmp_path / f"{name}.parquet") for name in names))
    assert [table.schema for table in read] == [
        tables.RUN_SCHEMA, tables.PARAMETER_SCHEMA, tables.COVARIANCE_SCHEMA, tables.NODE_SCHEMA,
    ]  # fmt: skip
    run, found = tables.from_tables(read, "run 1")
    assert run == RUN
    assert found == {fit.submodel: fit for fit in fits}
    assert read.covariance.num_rows == 4
    assert sorted(set(read.nodes["x"].to_pylist())) == [0, 1, 7]
    assert [row["is_champion"] for row in read.runs.to_pylist()] == [False, True, False, False]
    with pytest.raises(UserError, match="no model run"):
        tables.from_tables(read, "run 2")
    with pytest.raises(UserError, match="one fit"):
        tables.to_tables(RUN, [VALUE, VALUE])


@pytest.mark.parametrize("a", [1e-3, 0.8, 1.0, 50.0])
@pytest.mark.parametrize("b", [0.3, 2.4, 1025.0, 2e5])
def test_nodes_have_the_moments_of_the_distribution(a: float, b: float) -> None:
    """Where libraries overflow too: beyond a + b of about 1,020."""
    (nodes,), (weights,) = beta_nodes(a, b)
    assert ((nodes >= 0) & (nodes <= 1)).all() and (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, rel=1e-13)
    moment = 1.0
    for power in range(1, 20):
        moment *= (a + power - 1) / (a + b + power - 1)
        assert weights @ nodes**power == pytest.approx(moment, rel=1e-9)
