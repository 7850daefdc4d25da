"""Value of an order: the Gamma-Gamma model, and credibility where it has no answer.

Both expect of a customer with x orders of mean value z the same weighted mean,
(prior_orders * mean_value + x * z) / (prior_orders + x). Refunds may leave a mean at or below 0,
which no positive model can produce: such customers take no part in a fit, and z counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from orchestration.clv.fitting import (
    CONSTANT_SPEND,
    DEPENDENT,
    INFINITE_MEAN,
    MIN_CUSTOMERS,
    OK,
    TOO_FEW,
    Fit,
    Likelihood,
    fitted,
    maximise,
    values_of,
)
from orchestration.clv.history import Array, gathered
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
    orders, value, customers = _observed(x, z, weight)
    return _evaluate(values_of(parameters, NAMES), orders, value, customers)[0]


def fit(
    x: ArrayLike, z: ArrayLike, weight: ArrayLike | None = None, min_customers: int = MIN_CUSTOMERS
) -> Fit:
    """Maximum likelihood for customers with x orders of mean value z, shape (rows,).

    `n` counts the customers with an order and a mean above 0. Status: ok;
    value_frequency_dependent (with parameters: |correlation| of x and z above 0.3); infinite_mean
    (q at most 1); constant_spend; too_few_customers; not_converged.
    """
    orders, value, customers = _observed(x, z, weight)
    n = float(customers.sum())
    if n < min_customers:
        return Fit(NAME, TOO_FEW, n)
    mean = float(customers @ value) / n
    if np.ptp(value) <= 1e-9 * mean:
        return Fit(NAME, CONSTANT_SPEND, n)
    scaled = value / mean
    whole = Likelihood(lambda values: _evaluate(values, orders, scaled, customers), n)
    best = maximise(whole, len(NAMES))
    p, q, _ = best.values
    if p > _LARGEST_P:
        return Fit(NAME, CONSTANT_SPEND, n)
    found = fitted(NAME, NAMES, best, n, [1.0, 1.0, mean])
    if not found.converged:
        return found
    if q <= 1:
        return Fit(NAME, INFINITE_MEAN, n)
    dependent = abs(correlation(orders, value, customers)) > MOST_CORRELATION
    return replace(
        found,
        status=DEPENDENT if dependent else OK,
        log_likelihood=_evaluate(values_of(found.parameters, NAMES), orders, value, customers)[0],
    )


def fit_credibility(x: ArrayLike, z: ArrayLike, weight: ArrayLike | None = None) -> Fit:
    """Mean value, and how many orders the mean of a customer must rest on to count as much.

    Bühlmann & Straub (1970): the spread of customers' means is that between customers plus, the
    fewer orders the more, that within them. It is measured on logs, where it is finite however
    heavy the tail, so it answers where Gamma-Gamma does not. Status: ok; too_few_customers where
    nobody has a mean above 0.
    """
    orders, value, customers = _observed(x, z, weight)
    n = float(customers.sum())
    if n == 0:
        return Fit(CREDIBILITY, TOO_FEW, n)
    mean = float(customers @ value) / n
    logs, rarity = np.log(value), 1 / orders
    spread = (logs - customers @ logs / n) ** 2
    centred = rarity - customers @ rarity / n
    varies = customers @ centred**2
    within = max(float((customers * centred) @ spread / varies), 0.0) if varies > 1e-12 else 0.0
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


def correlation(x: ArrayLike, z: ArrayLike, weight: ArrayLike) -> float:
    """Weighted correlation of orders and mean value; 0 where one of them never varies."""
    table = np.cov(np.vstack([x, z]), aweights=np.asarray(weight, float))
    spread = np.sqrt(table[0, 0] * table[1, 1])
    return float(table[0, 1] / spread) if spread > 0 else 0.0


def _columns(x: ArrayLike, z: ArrayLike, weight: ArrayLike | None) -> dict[str, Array]:
    value = np.atleast_1d(np.asarray(z, float))
    arrays = gathered({"x": x, "z": np.abs(value)}, weight)
    return arrays | {"z": value}


def _observed(x: ArrayLike, z: ArrayLike, weight: ArrayLike | None) -> tuple[Array, Array, Array]:
    arrays = _columns(x, z, weight)
    kept = (arrays["x"] > 0) & (arrays["z"] > 0) & (arrays["weight"] > 0)
    return arrays["x"][kept], arrays["z"][kept], arrays["weight"][kept]


def _evaluate(values: Array, x: Array, z: Array, weight: Array) -> tuple[float, Array]:
    p, q, gamma = values
    counts, at = np.unique(x, return_inverse=True)
    customers = np.bincount(at, weight)
    n = customers.sum()
    log_z = weight @ np.log(z)
    spread = gamma + x * z
    log_spread = np.log(spread)
    by_count = gammaln(p * counts + q) - gammaln(p * counts) + p * counts * np.log(counts)
    total = customers @ by_count + n * (q * np.log(gamma) - gammaln(q))
    log_totals = (weight * x) @ np.log(z)
    total += p * log_totals - log_z - (weight * (p * x + q)) @ log_spread
    above, below = digamma(p * counts + q), digamma(p * counts)
    by_p = customers @ (counts * (above - below + np.log(counts)))
    by_p += log_totals - (weight * x) @ log_spread
    by_q = customers @ above + n * (np.log(gamma) - digamma(q)) - weight @ log_spread
    by_gamma = n * q / gamma - (weight * (p * x + q)) @ (1 / spread)
    return float(total), np.array([by_p, by_q, by_gamma])
