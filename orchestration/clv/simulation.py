"""Intervals of single customers: drawn from the model, widened by what backtests showed.

Drawn once per distinct (x, t_x, T): money scales with what a customer is known to spend, so
customers of one row share their draws. Sums of such intervals do not cover totals: those take the
error of the totals in backtests. The factor is that of split conformal prediction (Lei, G'Sell,
Rinaldo, Tibshirani & Wasserman 2018, Distribution-Free Predictive Inference for Regression).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.clv import gamma_gamma
from orchestration.clv.beta_geometric import BetaGeometric
from orchestration.clv.cuts import Cut
from orchestration.clv.fitting import Fit, values_of
from orchestration.clv.history import Array, History
from orchestration.clv.orders import NBD_NAMES
from orchestration.clv.pareto_nbd import ParetoNbd
from orchestration.clv.scoring import ORDER_MODELS

QUANTILES = (0.05, 0.5, 0.95)
LEVEL = 0.9
_ROWS = 4_096
_FACTORS = (0.5, 5.0)


@dataclass(frozen=True, eq=False)
class Intervals:
    """Quantiles of orders and of value (net sales), shape (quantiles, customers)."""

    orders: Array
    value: Array

    def widened(self, factor: float) -> Intervals:
        """Value's ends moved away from its middle by a factor."""
        low, middle, high = self.value
        ends = np.minimum(low / factor, middle), np.maximum(high * factor, middle)
        return Intervals(self.orders, np.array([ends[0], middle, ends[1]]))


def intervals(
    cut: Cut, orders: Fit, value: Fit, days: int, draws: int, seed: int, some: Array | None = None
) -> Intervals:
    """Of all customers of a cut, or of those at the positions `some`; the same ones every time."""
    rows = cut.statistics
    chosen = np.arange(len(cut)) if some is None else some
    kept, row = np.unique(cut.row[chosen], return_inverse=True)
    rng = np.random.default_rng(seed)
    by_orders, by_value = np.empty((2, len(QUANTILES), len(kept)))
    for start in range(0, len(kept), _ROWS):
        here = slice(start, start + _ROWS)
        given = rows.where(kept[here])
        counts = draw_orders(orders, given, days, draws, rng)
        by_orders[:, here] = _quantiles(counts)
        by_value[:, here] = _quantiles(draw_values(value, given.x + 1, counts, rng))
    return Intervals(by_orders[:, row], by_value[:, row] * money_unit(value, cut)[chosen])


def conformal_factor(given: Intervals, actual: Array) -> float:
    """By how much value's ends must move for 90 % of customers to lie between them."""
    low, _, high = given.value
    # Beyond the upper end or below the lower one by this factor.
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(actual <= 0, 0.0, actual / high)
        below = np.where(low <= 0, 0.0, low / np.maximum(actual, 0.0))
    beyond = np.sort(np.maximum(above, below))
    if not len(beyond):
        return 1.0
    at = min(int(np.ceil((len(beyond) + 1) * LEVEL)), len(beyond)) - 1
    return float(np.clip(beyond[at], *_FACTORS))


def coverage(quantiles: Array, actual: Array) -> float:
    """Share of customers between the outer quantiles."""
    return float(np.mean((quantiles[0] <= actual) & (actual <= quantiles[-1])))


def draw_orders(fit: Fit, given: History, days: int, draws: int, rng: np.random.Generator) -> Array:
    """Orders within `days`, shape (rows, draws)."""
    model, size = ORDER_MODELS[fit.submodel], (len(given), draws)
    x, age = given.x[:, None], given.T[:, None]
    if set(fit.parameters) == set(NBD_NAMES):
        r, alpha = values_of(fit.parameters, NBD_NAMES)
        return rng.poisson(rng.gamma(r + x, 1.0, size) / (alpha + age) * days).astype(float)
    values = values_of(fit.parameters, model.names)
    rate = rng.gamma(values[0] + x, 1.0, size) / (values[1] + age)
    alive = rng.random(size) < model.alive(values, given)[:, None]
    if isinstance(model, ParetoNbd):
        _, _, s, beta = values
        death = rng.gamma(s, 1.0, size) / (beta + age)
        with np.errstate(divide="ignore"):
            lives = rng.exponential(1.0, size) / death
        return alive * rng.poisson(rate * np.minimum(lives, days)).astype(float)
    assert isinstance(model, BetaGeometric)
    _, _, a, b = values
    stops = rng.beta(a, b + x + model.tosses, size)
    # The order after which a coin stops them.
    last = np.ceil(np.log(rng.random(size)) / np.log1p(-np.clip(stops, 1e-12, 1 - 1e-12)))
    return alive * np.minimum(rng.poisson(rate * days), last)


def draw_values(fit: Fit, orders: Array, counts: Array, rng: np.random.Generator) -> Array:
    """What so many orders are worth, in units of `money_unit`, shape of `counts`."""
    if fit.submodel != gamma_gamma.NAME or not fit.parameters:
        return counts
    p, q, _ = values_of(fit.parameters, gamma_gamma.NAMES)
    spread = rng.gamma(q + p * orders[:, None], 1.0, counts.shape)
    found = np.zeros(counts.shape)
    some = counts > 0
    found[some] = rng.gamma(p * counts[some]) / spread[some]
    return found


def money_unit(fit: Fit, cut: Cut) -> Array:
    """Gamma-Gamma: gamma + all that was spent, unknown values being as the known ones or as
    everybody's; else the expected value of an order."""
    if not fit.parameters:
        return np.zeros(len(cut))
    if fit.submodel != gamma_gamma.NAME:
        return gamma_gamma.expected_value(fit, cut.value_days, cut.z)
    each = np.where(cut.value_days > 0, np.maximum(cut.z, 0.0), gamma_gamma.prior(fit)[0])
    return fit.parameters["gamma"] + cut.n * each


def _quantiles(draws: Array) -> Array:
    """Of each row, shape (quantiles, rows): an order statistic, so that counts stay counts."""
    ordered = np.sort(draws, axis=1)
    size = draws.shape[1]
    at = [min(int(np.ceil(level * size)), size) - 1 for level in QUANTILES]
    return ordered[:, at].T
