"""Contestants of `perennial bench clv`: each reads the same Parquet of customers, one row each.

Every function runs in a process of its own (see `child`). A contestant fits MBG/NBD and Gamma-Gamma
and scores every customer (P(alive), expected orders in four horizons, value of an order); what this
project scores besides (months, discount, next order) it scores on the clock too. It returns
{parameters, fit_seconds, score_seconds, extra_bytes, totals}: memory above what its imports took,
and the sums of the expected orders. {} where its package is not installed.
"""

from __future__ import annotations

import importlib.util
import resource
import sys
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from orchestration.bench.child import THREADS

HORIZONS = (30, 90, 180, 365)
# What the customers are drawn from.
ORDERS = {"r": 0.55, "alpha": 45.0, "a": 0.8, "b": 2.4}
VALUE = {"p": 6.0, "q": 4.0, "gamma": 40.0}
DAYS = 730
SEED = 1
BATCH = 32_768
WARM_UP = 1_000
_COLUMNS = ("frequency", "recency_age_days", "tenure_days", "value_order_count", "mean_value")


def write_customers(customers: int, folder: Path) -> dict[str, int]:
    """Draw customers of MBG/NBD, orders of one day being one, and write `customers.parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    rate = rng.gamma(ORDERS["r"], 1 / ORDERS["alpha"], customers)
    stop = rng.beta(ORDERS["a"], ORDERS["b"], customers)
    tenure = rng.integers(1, DAYS + 1, customers).astype(float)
    x, last, now = (np.zeros(customers) for _ in range(3))
    going = np.flatnonzero(rng.random(customers) >= stop)
    while len(going):
        now[going] += rng.exponential(1 / rate[going])
        going = going[now[going] < tenure[going]]
        day = np.floor(now[going])
        new = going[day > last[going]]
        x[new] += 1
        last[new] = np.floor(now[new])
        going = going[rng.random(len(going)) >= stop[going]]
    orders = x + 1
    spread = rng.gamma(VALUE["q"], 1 / VALUE["gamma"], customers)
    mean = rng.gamma(VALUE["p"] * orders) / (spread * orders)
    columns = (x.astype(np.int64), last, tenure, orders.astype(np.int64), mean)
    table = pa.table([pa.array(range(customers)), *columns], ["customer_id", *_COLUMNS])
    pq.write_table(table, folder / "customers.parquet")
    distinct = len(np.unique((x * 1000 + last) * 1000 + tenure))
    return {"distinct": distinct, "repeat_buyers": int((x > 0).sum())}


def perennial(customers_file: Path) -> dict[str, Any]:
    """Counted per day and fitted on distinct rows; scored in Arrow batches."""
    import duckdb
    import pyarrow as pa  # noqa: F401

    from orchestration.clv import gamma_gamma
    from orchestration.clv.beta_geometric import MBG_NBD
    from orchestration.clv.history import history
    from orchestration.clv.scoring import score

    before, started = _peak(), time.perf_counter()
    con = duckdb.connect(config={"threads": THREADS})
    con.execute(f"create view customers as select * from read_parquet('{customers_file}')")
    rows = con.execute(
        "select frequency, recency_age_days, tenure_days, count(*) as customers from customers "
        "group by all"
    ).fetchnumpy()
    orders = MBG_NBD.fit(history(*rows.values()))
    del rows
    spent = con.execute("select value_order_count, mean_value from customers").fetchnumpy()
    value = gamma_gamma.fit(*spent.values())
    del spent
    fitted = time.perf_counter()
    totals = np.zeros(len(HORIZONS))
    reader = con.execute(f"select {', '.join(_COLUMNS)} from customers").to_arrow_reader(BATCH)
    for batch in reader:
        scored = score(batch, orders, value, horizons=HORIZONS)
        totals += [np.asarray(scored[f"expected_orders_{days}"]).sum() for days in HORIZONS]
    parameters = {"orders": dict(orders.parameters), "value": dict(value.parameters)}
    return _answer(parameters, started, fitted, before, totals)


def sql(customers_file: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The macro on the same customers with parameters that were fitted; it only scores."""
    import duckdb

    from orchestration.bench.macros import Macros
    from orchestration.clv import tables
    from orchestration.clv.fitting import Fit

    before, started = _peak(), time.perf_counter()
    con = duckdb.connect(config={"threads": THREADS})
    con.execute(f"create view customers as select * from read_parquet('{customers_file}')")
    counts = con.execute("select distinct frequency from customers").fetchnumpy()["frequency"]
    fits = [
        Fit("mbg_nbd", "ok", 1, parameters["orders"]),
        Fit("gamma_gamma", "ok", 1, parameters["value"]),
    ]
    written = tables.to_tables(tables.Run("bench", date(2026, 1, 1)), fits, counts)
    con.register("written", written.parameters)
    con.register("nodes", written.nodes)
    macros = Macros(con)
    con.execute(
        f"create table parameters as select {macros['clv_parameter_columns']()} from written"
    )
    query = macros["clv_scores"](
        "customers", ["customer_id"], "parameters", "nodes", 0.1, list(HORIZONS)
    )
    con.execute(f"create table scores as {query}")
    totals = con.execute(
        "select " + ", ".join(f"sum(expected_orders_{days})" for days in HORIZONS) + " from scores"
    ).fetchone()
    return _answer(dict(parameters), started, started, before, totals)


def lifetimes(customers_file: Path) -> dict[str, Any]:
    """lifetimes' ModifiedBetaGeoFitter and GammaGammaFitter, no penalty."""
    if importlib.util.find_spec("lifetimes") is None:
        return {}
    import pandas as pd
    from lifetimes import GammaGammaFitter, ModifiedBetaGeoFitter

    before, started = _peak(), time.perf_counter()
    given = pd.read_parquet(customers_file)
    x, t_x, age, orders, mean = (given[column] for column in _COLUMNS)
    model = ModifiedBetaGeoFitter(penalizer_coef=0.0).fit(x, t_x, age)
    value = GammaGammaFitter(penalizer_coef=0.0).fit(orders, mean)
    fitted = time.perf_counter()
    model.conditional_probability_alive(x, t_x, age)
    value.conditional_expected_average_profit(orders, mean)
    totals = [
        np.sum(model.conditional_expected_number_of_purchases_up_to_time(days, x, t_x, age))
        for days in HORIZONS
    ]
    q_and_others = value.params_.to_dict()
    renamed = {name: q_and_others["v" if name == "gamma" else name] for name in VALUE}
    parameters = {"orders": model.params_.to_dict(), "value": renamed}
    return _answer(parameters, started, fitted, before, totals)


def pymc(customers_file: Path) -> dict[str, Any]:
    """pymc-marketing's maximum a posteriori under flat priors, compiled before the clock starts."""
    if importlib.util.find_spec("pymc_marketing") is None:
        return {}
    import pandas as pd
    from pymc_extras.prior import Prior
    from pymc_marketing.clv import GammaGammaModel, ModifiedBetaGeoModel

    def fit(given: pd.DataFrame) -> tuple[Any, Any]:
        flat = {name: Prior("HalfFlat") for name in ("a", "b", "r", "alpha")}
        model = ModifiedBetaGeoModel(given, model_config=flat)
        model.fit(method="map", progressbar=False)
        flat = {name: Prior("HalfFlat") for name in ("p", "q", "v")}
        value = GammaGammaModel(given.assign(frequency=given["orders"]), model_config=flat)
        value.fit(method="map", progressbar=False)
        return model, value

    def score(given: pd.DataFrame, model: Any, value: Any) -> list[float]:
        model.expected_probability_alive(given)
        value.expected_customer_spend(given.assign(frequency=given["orders"]))
        return [float(model.expected_purchases(given, future_t=days).sum()) for days in HORIZONS]

    names = dict(
        zip(_COLUMNS, ("frequency", "recency", "T", "orders", "monetary_value"), strict=True)
    )
    few = pd.read_parquet(customers_file).rename(columns=names).head(WARM_UP)
    score(few, *fit(few))
    del few
    before, started = _peak(), time.perf_counter()
    given = pd.read_parquet(customers_file).rename(columns=names)
    model, value = fit(given)
    fitted = time.perf_counter()
    totals = score(given, model, value)

    def found(of: Any, name: str) -> float:
        return float(of.fit_result[name].to_numpy().ravel()[0])

    parameters = {
        "orders": {name: found(model, name) for name in ORDERS},
        "value": {name: found(value, "v" if name == "gamma" else name) for name in VALUE},
    }
    return _answer(parameters, started, fitted, before, totals)


def likelihoods(customers_file: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """Log-likelihoods of every contestant's parameters on all customers, by one implementation."""
    import duckdb

    from orchestration.clv import gamma_gamma
    from orchestration.clv.beta_geometric import MBG_NBD
    from orchestration.clv.history import history

    rows = duckdb.execute(
        f"select {', '.join(_COLUMNS)} from read_parquet('{customers_file}')"
    ).fetchnumpy()
    x, t_x, age, orders, mean = (rows[column] for column in _COLUMNS)
    given = history(x, t_x, age)
    return {
        name: {
            "orders": MBG_NBD.log_likelihood(parameters["orders"], given),
            "value": gamma_gamma.log_likelihood(parameters["value"], orders, mean),
        }
        for name, parameters in found.items()
    }


def _answer(
    parameters: Mapping[str, Any], started: float, fitted: float, before: int, totals: Any
) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "fit_seconds": fitted - started,
        "score_seconds": time.perf_counter() - fitted,
        "extra_bytes": _peak() - before,
        "totals": [float(total) for total in totals],
    }


def _peak() -> int:
    """The largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
