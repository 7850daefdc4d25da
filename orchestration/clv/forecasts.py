"""Models and rules of thumb as candidates: each says orders, P(an order) and value of a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from orchestration.clv import gamma_gamma
from orchestration.clv.beta_geometric import MBG_NBD
from orchestration.clv.cuts import Cut
from orchestration.clv.fitting import Engine, Fit
from orchestration.clv.history import Array, History
from orchestration.clv.pareto_nbd import PARETO_NBD
from orchestration.clv.schemas import HORIZONS
from orchestration.clv.scoring import DAYS_PER_YEAR, ORDER_MODELS, periods, score

MEAN_RATE, LAST_WINDOW = "mean_rate", "last_window"
BOOSTED, BLEND = "gradient_boosting", "blend"
RULES_OF_THUMB = (MEAN_RATE, LAST_WINDOW)
PROBABILITY_MODELS = (MBG_NBD.name, PARETO_NBD.name)
SIMPLEST_FIRST = (*RULES_OF_THUMB, *PROBABILITY_MODELS, BOOSTED, BLEND)
# A first order yesterday says nothing about a rate.
_LEAST_TENURE = 30
_BATCH = 100_000
_NONE = 1e-12


@dataclass(frozen=True, eq=False)
class Forecast:
    """Expected orders, P(at least one) and expected value (net sales) of one horizon, shape
    (customers,)."""

    orders: Array
    p_order: Array
    value: Array

    def said_by(self, orders: Array, value: Array) -> Forecast:
        """Another's orders and value, and the P(an order) that goes with so many."""
        return Forecast(orders, grown_p_order(self.p_order, self.orders, orders), value)


@dataclass(frozen=True, eq=False)
class Scores:
    """Answers for all of `HORIZONS`, shape (horizons, customers); `p_alive` and `next_days` (days
    until half of such customers have ordered) are NaN where there is no answer."""

    orders: Array
    discounted: Array
    p_order: Array
    p_alive: Array
    next_days: Array

    def of(self, rows: Array) -> Scores:
        """One column for each of `rows`."""
        return Scores(
            self.orders[:, rows], self.discounted[:, rows], self.p_order[:, rows],
            self.p_alive[rows], self.next_days[rows],
        )  # fmt: skip

    def grown(self, factor: Array) -> Scores:
        """So many times the orders, as likely and as soon as goes with that."""
        orders = self.orders * factor
        likely = grown_p_order(self.p_order, self.orders, orders)
        return Scores(
            orders, self.discounted * factor, likely, self.p_alive, half_have_ordered(likely)
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """Fits of one cut: `orders` by submodel, and those of value, of which `value` is used."""

    orders: dict[str, Fit]
    value_fits: tuple[Fit, ...]

    @property
    def value(self) -> Fit:
        return self.value_fits[-1]


def fit_models(cut: Cut, sampled: bool = False, engine: Engine | None = None) -> Fitted:
    """Fits of repeat orders, on a sample of many rows if asked (a ranking of models needs no more),
    and of value; by the project's own engine unless another is given."""
    rows = cut.sample if sampled else cut.statistics
    orders = {name: ORDER_MODELS[name].fit(rows, engine=engine) for name in PROBABILITY_MODELS}
    value = gamma_gamma.fit(cut.value_days, cut.z, engine=engine)
    if value.parameters:
        return Fitted(orders, (value,))
    return Fitted(orders, (value, gamma_gamma.fit_credibility(cut.value_days, cut.z)))


def value_per_order(value: Fit, cut: Cut) -> Array:
    """Expected net sales of an order day, shape (customers,); 0 where nobody ever paid."""
    if not value.parameters:
        return np.zeros(len(cut))
    return gamma_gamma.expected_value(value, cut.value_days, cut.z)


def margin_rate(value: Fit, cut: Cut) -> tuple[float, Array] | None:
    """Margin as a share of value: of all, and of each customer, shape (customers,), who is as
    credible here as in value. None where no cost is known."""
    rate = overall_margin_rate([cut])
    if rate is None or not value.parameters:
        return None
    mean, prior_orders = gamma_gamma.prior(value)
    own = (prior_orders * mean * rate + cut.margin) / (prior_orders + cut.margin_days)
    # Sales of the same days, credible by as much.
    base = (prior_orders * mean + np.maximum(cut.margin_value, 0.0)) / (
        prior_orders + cut.margin_days
    )
    return rate, own / base


def overall_margin_rate(cuts: Sequence[Cut]) -> float | None:
    """Margin of all as a share of their value; None where no cost is known."""
    sales = sum(float(cut.margin_value.sum()) for cut in cuts)
    return sum(float(cut.margin.sum()) for cut in cuts) / sales if sales > 0 else None


def candidate(name: str, fitted: Fitted, cut: Cut, days: int, each: Array) -> Forecast | None:
    """A rule of thumb or a probability model over `days`; None where it has no answer."""
    if name in RULES_OF_THUMB:
        orders, value = (rate * days for rate in rates(name, cut))
        return Forecast(orders, -np.expm1(-orders), value)
    fit = fitted.orders[name]
    if not fit.parameters:
        return None
    model, rows = ORDER_MODELS[name], cut.statistics
    _, orders = model.p_alive_and_orders(fit.parameters, rows, [days])
    expected = orders[0][cut.row]
    return Forecast(expected, p_order(fit, rows, days)[cut.row], expected * each)


def p_order(fit: Fit, rows: History, days: int) -> Array:
    """P(an order within `days`) of each of `rows`."""
    return ORDER_MODELS[fit.submodel].p_order(fit.parameters, rows, days)


def grown_p_order(likely: Array, usual: Array, orders: Array) -> Array:
    """P(an order) that goes with `orders` as `likely` does with `usual`: twice the orders square
    the chance of none. It is never above the expected orders themselves."""
    factor = orders / np.maximum(usual, _NONE)
    none = np.log1p(-np.minimum(likely, 1 - _NONE))
    return np.minimum(-np.expm1(none * factor), orders)


def half_have_ordered(likely: Array) -> Array:
    """Days until P(an order) is a half, from that within each of `HORIZONS`, shape (horizons,
    customers); NaN where it takes longer. Orders come evenly between two horizons."""
    days = np.array([0, *HORIZONS], float)
    # The chance of none is a half where this is 1.
    likely = np.vstack([np.zeros(likely.shape[1]), np.minimum(likely, 1 - _NONE)])
    gone = -np.log2(1 - likely)
    found = np.full(likely.shape[1], np.nan)
    for at in range(len(HORIZONS)):
        some = (gone[at] < 1) & (gone[at + 1] >= 1)
        share = (1 - gone[at, some]) / (gone[at + 1, some] - gone[at, some])
        found[some] = days[at] + share * (days[at + 1] - days[at])
    return found


def rates(name: str, cut: Cut) -> tuple[Array, Array]:
    """Orders and value a day by a rule of thumb, shape (customers,)."""
    if name == LAST_WINDOW:
        return cut.window_orders / cut.window, np.maximum(cut.window_value, 0) / cut.window
    tenure = np.maximum(cut.T, _LEAST_TENURE)
    return cut.n / tenure, np.maximum(cut.value, 0) / tenure


def model_scores(fit: Fit, rows: History, annual_discount_rate: float) -> Scores:
    """Of a probability model, for each of `rows`."""
    parts = []
    for start in range(0, max(len(rows), 1), _BATCH):
        some = rows.where(slice(start, start + _BATCH))
        whole = some.x.astype(np.int64)
        columns = {
            "frequency": pa.array(whole),
            "recency_age_days": pa.array(some.t_x),
            "tenure_days": pa.array(some.T),
            "value_order_count": pa.array(whole),
            "mean_value": pa.nulls(len(some), pa.float64()),
        }
        batch = pa.record_batch(list(columns.values()), list(columns))
        parts.append(score(batch, fit, None, annual_discount_rate))
    table = pa.Table.from_batches(parts)

    def column(name: str) -> Array:
        return table[name].to_numpy()

    def by_horizon(name: str) -> Array:
        return np.array([column(f"{name}_{days}") for days in HORIZONS])

    return Scores(
        by_horizon("expected_orders"), by_horizon("discounted_orders"), by_horizon("p_order"),
        column("p_alive"), column("days_to_next_order"),
    )  # fmt: skip


def rate_scores(rate: Array, annual_discount_rate: float) -> Scores:
    """Of customers who order at a constant rate a day, shape (customers,)."""
    days = np.array(HORIZONS, float)[:, None]
    orders = rate * days
    discounts = np.array([steady_discount(one, annual_discount_rate) for one in HORIZONS])
    likely = -np.expm1(-orders)
    with np.errstate(divide="ignore"):
        median = np.log(2) / rate
    return Scores(
        orders, orders * discounts[:, None], likely, np.full(len(rate), np.nan),
        np.where(likely[-1] >= 0.5, median, np.nan),
    )  # fmt: skip


def steady_discount(days: int, annual_discount_rate: float) -> float:
    """What one order, spread evenly over `days`, counts now."""
    return float(np.mean(discount_factors(days, annual_discount_rate)))


def discount_factors(days: int, annual_discount_rate: float) -> Array:
    """Of the middles of the periods of a horizon."""
    count = periods(days)
    middles = (np.arange(count) + 0.5) * (days / count)
    return np.exp(-np.log1p(annual_discount_rate) / DAYS_PER_YEAR * middles)


def new_orders(fit: Fit, times: Sequence[float]) -> Array:
    """Expected repeat orders of a new customer within each time after the first order."""
    new = History(np.zeros(1), np.zeros(1), np.zeros(1), np.ones(1))
    model = ORDER_MODELS[fit.submodel]
    return model.p_alive_and_orders(fit.parameters, new, np.asarray(times, float))[1][:, 0]
