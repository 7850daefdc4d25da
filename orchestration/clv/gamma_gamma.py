"""Value of an order: the Gamma-Gamma model, and credibility where it has no answer.

Both expect of a customer with x orders of mean value z the same weighted mean,
(prior_orders * mean_value + x * z) / (prior_orders + x). Refunds may leave a mean at or below 0,
which no positive model can produce: such customers take no part in a fit, and z counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

from orchestration.clv.fitting import (
    CONSTANT_SPEND,
    DEPENDENT,
    INFINITE_MEAN,
    MIN_CUSTOMERS,
    NO_REPEAT_BUYERS,
    OK,
    TOO_FEW,
    Engine,
    Fit,
    Likelihood,
    fitted,
    judged,
    maximise,
    values_of,
)
from orchestration.clv.history import BLOCK, MANY_ROWS, STRIDE, Array, gathered
from orchestration.clv.special import log_rise
from orchestration.errors import UserError

NAME, CREDIBILITY = "gamma_gamma", "credibility"
NAMES = ("p", "q", "gamma")
CREDIBILITY_NAMES = ("mean_value", "prior_orders")
# Frequency and value are taken to be independent; beyond this correlation that is a bad guess.
MOST_CORRELATION = 0.3
# Orders of one customer that differ by less than 1 % (1 / sqrt(p)) are the same amount.
_LARGEST_P = 1e4
_MOST_PRIOR_ORDERS = 1e6


def log_likelihood(
    parameters: Mapping[str, float], x: ArrayLike, z: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Sum over customers with x orders of mean value z, both above 0, all of shape (rows,).

    Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, equation 1a.
    """
    return _evaluate(values_of(parameters, NAMES), _observed(x, z, weight))[0]


def fit(
    x: ArrayLike,
    z: ArrayLike,
    weight: ArrayLike | None = None,
    min_customers: int = MIN_CUSTOMERS,
    engine: Engine | None = None,
) -> Fit:
    """Maximum likelihood for customers with x orders of mean value z, shape (rows,), found here or
    by another engine.

    `n` counts the customers with an order and a mean above 0. Status: ok;
    value_frequency_dependent (with parameters: |correlation| of x and z above 0.3); flat_likelihood
    (with parameters: all customers spend alike); infinite_mean (q at most 1); constant_spend;
    no_repeat_buyers (nobody has two orders, so what differs between customers cannot be told from
    what differs between orders); too_few_customers; not_converged.
    """
    spent = _observed(x, z, weight)
    n = float(spent.weight.sum())
    if n < min_customers:
        return Fit(NAME, TOO_FEW, n)
    if spent.x.max() < 2:
        return Fit(NAME, NO_REPEAT_BUYERS, n)
    mean = float(spent.weight @ spent.z) / n
    if np.ptp(spent.z) <= 1e-9 * mean:
        return Fit(NAME, CONSTANT_SPEND, n)
    scaled = replace(spent, z=spent.z / mean)
    if engine is None:
        best = maximise(_likelihood(scaled), len(NAMES), _likelihood(scaled.thinned()))
    else:
        columns = {"x": scaled.x, "z": scaled.z, "weight": scaled.weight}
        best = judged(_likelihood(scaled), len(NAMES), engine, NAME, columns)
    p, q, _ = best.values
    if p > _LARGEST_P:
        return Fit(NAME, CONSTANT_SPEND, n)
    found = fitted(NAME, NAMES, best, n, [1.0, 1.0, mean])
    if not found.converged:
        return found
    if q <= 1:
        return Fit(NAME, INFINITE_MEAN, n)
    dependent = abs(correlation(spent.x, spent.z, spent.weight)) > MOST_CORRELATION
    return replace(
        found,
        status=DEPENDENT if dependent else found.status,
        log_likelihood=_evaluate(values_of(found.parameters, NAMES), spent)[0],
    )


def fit_credibility(x: ArrayLike, z: ArrayLike, weight: ArrayLike | None = None) -> Fit:
    """Mean value, and how many orders a customer's mean must rest on to count as much.

    Bühlmann & Straub (1970): the spread of customers' means is that between customers plus, the
    fewer orders the more, that within them. It is measured on logs, where it is finite however
    heavy the tail, so it answers where Gamma-Gamma does not. It cannot be measured where all have
    equally many orders: the mean of all then counts as one order. Status: ok; too_few_customers
    where nobody has a mean above 0.
    """
    spent = _observed(x, z, weight)
    customers = spent.weight
    n = float(customers.sum())
    if n == 0:
        return Fit(CREDIBILITY, TOO_FEW, n)
    mean = float(customers @ spent.z) / n
    logs, rarity = np.log(spent.z), 1 / spent.x
    spread = (logs - customers @ logs / n) ** 2
    centred = rarity - customers @ rarity / n
    varies = customers @ centred**2
    if varies <= 1e-12:
        values = {"mean_value": mean, "prior_orders": 1.0}
        return Fit(CREDIBILITY, OK, n, values, converged=True)
    within = max(float((customers * centred) @ spread / varies), 0.0)
    between = float(customers @ (spread - within * rarity)) / n
    prior = within / between if between > 1e-12 else _MOST_PRIOR_ORDERS
    prior = float(np.clip(prior, 1 / _MOST_PRIOR_ORDERS, _MOST_PRIOR_ORDERS))
    values = {"mean_value": mean, "prior_orders": prior}
    return Fit(CREDIBILITY, OK, n, values, converged=True)


def prior(fit: Fit) -> tuple[float, float]:
    """(mean_value, prior_orders) of either fit; raises UserError where it has no parameters."""
    if fit.submodel == CREDIBILITY and fit.parameters:
        mean, orders = values_of(fit.parameters, CREDIBILITY_NAMES)
        return float(mean), float(orders)
    if not fit.parameters:
        raise UserError(
            f"{fit.submodel} has no parameters ({fit.status}); use fit_credibility instead."
        )
    p, q, gamma = values_of(fit.parameters, NAMES)
    if q <= 1:
        raise UserError("The mean value is infinite (q is at most 1); use fit_credibility instead.")
    return float(p * gamma / (q - 1)), float((q - 1) / p)


def expected_value(fit: Fit, x: ArrayLike, z: ArrayLike) -> Array:
    """Expected value of an order of customers with x orders of mean value z, shape (rows,).

    Fader & Hardie (2013), equation 5. The population's mean where x is 0 or z is missing (NaN).
    """
    mean, prior_orders = prior(fit)
    orders = np.asarray(x, float)
    known = np.isfinite(np.asarray(z, float)) & (orders > 0)
    orders = np.where(known, orders, 0.0)
    value = np.where(known, np.maximum(np.asarray(z, float), 0.0), 0.0)
    return (prior_orders * mean + orders * value) / (prior_orders + orders)


def correlation(x: Array, z: Array, weight: Array) -> float:
    """Weighted correlation of orders and mean value; 0 where one of them never varies."""
    n = weight.sum()
    mean_x, mean_z = weight @ x / n, weight @ z / n
    both = (weight * x) @ z / n - mean_x * mean_z
    spread = ((weight * x) @ x / n - mean_x**2) * ((weight * z) @ z / n - mean_z**2)
    return float(both / np.sqrt(spread)) if spread > 0 else 0.0


@dataclass(frozen=True, eq=False)
class _Spent:
    """Customers with x orders of mean value z, both above 0, float64 of shape (rows,)."""

    x: Array
    z: Array
    weight: Array

    @cached_property
    def index(self) -> NDArray[np.intp]:
        return self.x.astype(np.intp)

    @cached_property
    def customers(self) -> Array:
        """Customers with 0 .. max(x) orders."""
        return np.bincount(self.index, self.weight)

    @cached_property
    def log_value(self) -> tuple[float, float]:
        """Sum of ln z over customers and over their orders."""
        logs = np.log(self.z)
        return float(self.weight @ logs), float((self.weight * self.x) @ logs)

    def thinned(self) -> _Spent:
        """Every so many of many rows."""
        step = STRIDE if len(self.x) > MANY_ROWS else 1
        return _Spent(self.x[::step], self.z[::step], self.weight[::step])


def _observed(x: ArrayLike, z: ArrayLike, weight: ArrayLike | None) -> _Spent:
    value = np.asarray(z, float)
    arrays = gathered({"x": x, "z": np.maximum(value, 0.0)}, weight)
    if np.any(arrays["x"] != np.floor(arrays["x"])):
        raise UserError("x must be whole numbers of orders; pass counts, not rates.")
    kept = (arrays["x"] > 0) & (arrays["z"] > 0) & (arrays["weight"] > 0)
    if not kept.all():
        arrays = {name: array[kept] for name, array in arrays.items()}
    return _Spent(arrays["x"], arrays["z"], arrays["weight"])


def _likelihood(spent: _Spent) -> Likelihood:
    return Likelihood(lambda values: _evaluate(values, spent), float(spent.weight.sum()))


def _evaluate(values: Array, spent: _Spent) -> tuple[float, Array]:
    p, q, gamma = values
    customers = spent.customers[1:]
    n = customers.sum()
    shape = p * np.arange(1, len(customers) + 1)
    counts = shape / p
    log_value, log_values = spent.log_value
    # Money in units of gamma, so that little cancels where q and gamma are large.
    log_counts = np.log(counts / gamma)
    level = log_rise(q, shape) - gammaln(shape) + shape * log_counts
    above = digamma(shape + q)
    total = customers @ level + p * log_values - log_value
    by_p = customers @ (counts * (above - digamma(shape) + log_counts)) + log_values
    by_q = customers @ (above - digamma(q))
    by_gamma = n * q
    for start in range(0, len(spent.x), BLOCK):
        rows = slice(start, start + BLOCK)
        x, weight = spent.x[rows], spent.weight[rows]
        spread = 1 + x * spent.z[rows] / gamma
        log_spread, powers = np.log(spread), weight * (p * x + q)
        total -= powers @ log_spread
        by_p -= (weight * x) @ log_spread
        by_q -= weight @ log_spread
        by_gamma -= powers @ (1 / spread)
    by_gamma /= gamma
    return float(total), np.array([by_p, by_q, by_gamma])
