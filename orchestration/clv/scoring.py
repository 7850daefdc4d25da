"""Scores of customers from parameters: a pure function of an Arrow batch.

macros/clv/scoring.sql says the same in SQL; the two agree to 1e-8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from orchestration.clv import gamma_gamma
from orchestration.clv.beta_geometric import BG_NBD, MBG_NBD
from orchestration.clv.fitting import Fit
from orchestration.clv.history import Array, history
from orchestration.clv.orders import OrderModel
from orchestration.clv.pareto_nbd import PARETO_NBD
from orchestration.clv.schemas import HORIZONS
from orchestration.errors import UserError

ORDER_MODELS: dict[str, OrderModel] = {model.name: model for model in (BG_NBD, MBG_NBD, PARETO_NBD)}
DAYS_PER_YEAR = 365
MONTHS = 12
INPUT = {
    "frequency": pa.int64(),
    "recency_age_days": pa.float64(),
    "tenure_days": pa.float64(),
    "value_order_count": pa.int64(),
    "mean_value": pa.float64(),
}


def periods(horizon_days: float) -> int:
    """Equal periods in which a horizon is discounted: about months, 12 for a year."""
    return max(1, round(horizon_days * MONTHS / DAYS_PER_YEAR))


def output_schema(horizons: Sequence[int] = HORIZONS) -> pa.Schema:
    """Columns of a score, all float64."""
    names = ["p_alive"]
    for name in ("p_order", "expected_orders", "discounted_orders"):
        names += [f"{name}_{days}" for days in horizons]
    names += [f"orders_month_{month:02}" for month in range(1, MONTHS + 1)]
    names += ["days_to_next_order", "expected_order_value"]
    names += [f"discounted_value_{days}" for days in horizons]
    return pa.schema([(name, pa.float64()) for name in names])


def score(
    batch: pa.RecordBatch,
    orders: Fit,
    value: Fit | None = None,
    annual_discount_rate: float = 0.1,
    horizons: Sequence[int] = HORIZONS,
) -> pa.RecordBatch:
    """One row of scores per row of `batch`, in its order; columns as `output_schema`.

    `batch` has frequency (repeat orders), recency_age_days (first to last order), tenure_days
    (first order to now); mean_value of value_order_count orders, which may be NULL or, after
    refunds, at most 0. Parameters of `orders` are per day. Expected orders, P(an order) and value
    are for so many days from now; a month is 365/12 days, and the twelve sum to 365 days. Discount:
    each horizon in equal periods of about a month, each in its middle, at ln(1 + annual rate) / 365
    a day. days_to_next_order: half of such customers have ordered by then; NULL unless at least
    half of them order within the longest horizon. p_alive is NULL where churn is not identified,
    everything where `orders` has no parameters, and money where `value` has none. Memory is about
    1 kB a row: pass batches of some 100,000 rows.

    Raises UserError for missing columns and impossible rows.
    """
    schema = output_schema(horizons)
    columns = _read(batch)
    if not orders.parameters:
        return _batch(schema, {}, batch.num_rows)
    model = ORDER_MODELS[orders.submodel]
    given = history(*(columns[name] for name in list(INPUT)[:3]))
    grids = {days: np.arange(1, periods(days) + 1) * (days / periods(days)) for days in horizons}
    grids[DAYS_PER_YEAR] = np.arange(1, MONTHS + 1) * (DAYS_PER_YEAR / MONTHS)
    times = np.unique(np.concatenate(list(grids.values())))
    alive, expected = model.p_alive_and_orders(orders.parameters, given, times)
    rate = np.log1p(annual_discount_rate) / DAYS_PER_YEAR

    def increments(days: int) -> Array:
        return np.diff(expected[np.searchsorted(times, grids[days])], axis=0, prepend=0.0)

    scores = {"p_alive": alive}
    for days in horizons:
        scores[f"p_order_{days}"] = model.p_order(orders.parameters, given, days)
        scores[f"expected_orders_{days}"] = expected[np.searchsorted(times, grids[days][-1])]
        middles = grids[days] - grids[days][0] / 2
        scores[f"discounted_orders_{days}"] = np.exp(-rate * middles) @ increments(days)
    for month, added in enumerate(increments(DAYS_PER_YEAR), start=1):
        scores[f"orders_month_{month:02}"] = added
    scores["days_to_next_order"] = model.time_to_next_order(orders.parameters, given, max(horizons))
    if value is not None and value.parameters:
        each = gamma_gamma.expected_value(
            value, columns["value_order_count"], columns["mean_value"]
        )
        scores["expected_order_value"] = each
        for days in horizons:
            scores[f"discounted_value_{days}"] = scores[f"discounted_orders_{days}"] * each
    return _batch(schema, scores, batch.num_rows)


def _read(batch: pa.RecordBatch) -> dict[str, Array]:
    missing = [name for name in INPUT if name not in batch.schema.names]
    if missing:
        raise UserError(
            f"The batch to score lacks {', '.join(missing)}; it needs all of {list(INPUT)}."
        )
    return {
        name: np.asarray(batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False))
        for name in INPUT
    }


def _batch(schema: pa.Schema, scores: dict[str, Array], rows: int) -> pa.RecordBatch:
    return pa.record_batch(
        [
            pa.array(scores[name], pa.float64(), from_pandas=True)
            if name in scores
            else pa.nulls(rows, pa.float64())
            for name in schema.names
        ],
        schema=schema,
    )
