"""What the models of repeat orders share: how they are fitted and what they are asked.

All read a `History`, in any one unit of time, and parameters by name in the same unit. Parameters
(r, alpha) alone mean that nobody ever stops: the negative binomial model (NBD), which is what is
left where a fit cannot tell customers who left from customers who buy slowly. P(alive) is then
unknown, NaN, while the other answers are the NBD's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from orchestration.clv.fitting import (
    MIN_CUSTOMERS,
    NO_CHURN,
    NO_GAIN,
    NO_REPEAT_BUYERS,
    NOT_CONVERGED,
    TOO_FEW,
    Engine,
    Fit,
    Likelihood,
    fitted,
    judged,
    maximise,
    values_of,
)
from orchestration.clv.history import Array, History, history
from orchestration.clv.special import log_rise

Parameters = Mapping[str, float]
NBD_NAMES = ("r", "alpha")
# The longest history counts as 10 while a fit climbs: parameters are then near 1.
_SPAN = 10.0


class OrderModel(ABC):
    """A model of repeat orders under which customers may stop for good.

    `times` are the names of the parameters that are times; the others have no unit.
    """

    name: str
    names: tuple[str, ...]
    times: tuple[str, ...]

    @abstractmethod
    def evaluate(self, values: Array, given: History) -> tuple[float, Array]:
        """Log-likelihood of all rows, weighted, and its gradient by the natural parameters."""

    @abstractmethod
    def alive(self, values: Array, given: History) -> Array:
        """P(alive) at T, shape (rows,)."""

    @abstractmethod
    def orders_if_alive(self, values: Array, given: History, horizons: Array) -> Array:
        """Expected orders within each horizon after T of those alive, shape (horizons, rows)."""

    @abstractmethod
    def order_if_alive(self, values: Array, given: History, horizon: float) -> Array:
        """P(an order within the horizon) of customers alive at T, shape (rows,)."""

    @abstractmethod
    def wait_if_alive(self, values: Array, given: History, probability: Array) -> Array:
        """By when customers alive at T will have ordered with so much probability; infinite where
        it is never reached. Shape (rows,)."""

    def log_likelihood(self, parameters: Parameters, given: History) -> float:
        """Sum over customers, as the source papers write it: no constant is left out."""
        if _is_nbd(parameters):
            return _nbd(values_of(parameters, NBD_NAMES), given)[0]
        return float(self.evaluate(values_of(parameters, self.names), given)[0])

    def fit(
        self, given: History, min_customers: int = MIN_CUSTOMERS, engine: Engine | None = None
    ) -> Fit:
        """Maximum likelihood, found here or by another engine. Customers with T = 0 say nothing and
        are left out of `n`.

        Status: ok; flat_likelihood, with parameters, where customers all buy or all stop alike;
        too_few_customers; no_churn_identified where the model is no better than the
        NBD, whose parameters it then holds; no_repeat_buyers, with the NBD of one rate for all that
        their silence leaves (Jeffreys' prior: half an order in all the time seen), so that what is
        expected of them is next to nothing; not_converged.
        """
        given = given.where(given.T > 0)
        n = float(given.weight.sum())
        if n < min_customers:
            return Fit(self.name, TOO_FEW, n)
        if not np.any(given.x * given.weight > 0):
            time = float(given.weight @ given.T)
            return Fit(self.name, NO_REPEAT_BUYERS, n, {"r": 0.5, "alpha": time})
        scale = _SPAN / given.T.max()
        scaled = given.scaled(scale)
        thin = scaled.thinned()
        whole = Likelihood(lambda values: self.evaluate(values, scaled), n)
        if engine is None:
            best = maximise(
                whole,
                len(self.names),
                Likelihood(lambda values: self.evaluate(values, thin), float(thin.weight.sum())),
            )
        else:
            best = judged(whole, len(self.names), engine, self.name, scaled.columns())
        simple = maximise(Likelihood(lambda values: _nbd(values, scaled), n), 2)
        if not best.converged and best.log_likelihood < simple.log_likelihood - NO_GAIN:
            return Fit(self.name, NOT_CONVERGED, n)
        units = dict.fromkeys(self.times, 1 / scale)
        if best.log_likelihood - simple.log_likelihood < NO_GAIN:
            found = fitted(self.name, NBD_NAMES, simple, n, [1.0, 1 / scale])
            found = replace(found, status=NO_CHURN) if found.converged else found
        else:
            names = [units.get(name, 1.0) for name in self.names]
            found = fitted(self.name, self.names, best, n, names)
        if not found.converged:
            return found
        return replace(found, log_likelihood=self.log_likelihood(found.parameters, given))

    def p_alive(self, parameters: Parameters, given: History) -> Array:
        """Probability of being still a customer at T, shape (rows,); NaN for (r, alpha) alone."""
        if _is_nbd(parameters):
            return np.full(len(given), np.nan)
        return self.alive(values_of(parameters, self.names), given)

    def expected_orders(self, parameters: Parameters, given: History, horizon: float) -> Array:
        """Expected orders in (T, T + horizon], given the history, shape (rows,)."""
        return self.p_alive_and_orders(parameters, given, [horizon])[1][0]

    def p_alive_and_orders(
        self, parameters: Parameters, given: History, horizons: ArrayLike
    ) -> tuple[Array, Array]:
        """P(alive) of shape (rows,), and expected orders within each horizon, (horizons, rows)."""
        times = np.asarray(horizons, float)
        alive = self.p_alive(parameters, given)
        if _is_nbd(parameters):
            r, alpha = values_of(parameters, NBD_NAMES)
            return alive, times[:, None] * ((r + given.x) / (alpha + given.T))
        values = values_of(parameters, self.names)
        return alive, alive * self.orders_if_alive(values, given, times)

    def expected_orders_new(self, parameters: Parameters, horizon: float) -> float:
        """Expected repeat orders in the first `horizon` after a first order."""
        return float(self.expected_orders(parameters, history(0, 0, 0), horizon)[0])

    def p_order(self, parameters: Parameters, given: History, horizon: float) -> Array:
        """Probability of at least one order in (T, T + horizon], shape (rows,)."""
        if _is_nbd(parameters):
            r, alpha = values_of(parameters, NBD_NAMES)
            return first_arrival(r + given.x, alpha + given.T, horizon)
        values = values_of(parameters, self.names)
        return self.alive(values, given) * self.order_if_alive(values, given, horizon)

    def time_to_next_order(self, parameters: Parameters, given: History, within: float) -> Array:
        """Time after T by which the next order has come with probability one half, shape (rows,).

        NaN where P(an order within `within`) is below one half.
        """
        likely = self.p_order(parameters, given, within) >= 0.5
        found = np.full(len(given), np.nan)
        some = given.where(likely)
        if _is_nbd(parameters):
            r, alpha = values_of(parameters, NBD_NAMES)
            found[likely] = arrival_quantile(r + some.x, alpha + some.T, 0.5)
        elif len(some):
            values = values_of(parameters, self.names)
            share = 0.5 / self.alive(values, some)
            found[likely] = self.wait_if_alive(values, some, share)
        return found


def first_arrival(shape: Array, rate: Array, horizon: ArrayLike) -> Array:
    """P(a first event within the horizon) where its rate is Gamma(shape, rate)."""
    return -np.expm1(-shape * np.log1p(horizon / rate))


def arrival_quantile(shape: Array, rate: Array, probability: ArrayLike) -> Array:
    """The inverse of `first_arrival`."""
    return rate * np.expm1(-np.log1p(-np.asarray(probability)) / shape)


def _is_nbd(parameters: Parameters) -> bool:
    return set(parameters) == set(NBD_NAMES)


def gamma_terms(r: float, given: History) -> tuple[Array, Array]:
    """ln Γ(r + x) - ln Γ(r) and its derivative by r, for 0 .. max(x)."""
    return log_rise(r, given.counts), digamma(r + given.counts) - digamma(r)


def customers_by_count(given: History) -> Array:
    """Customers with 0 .. max(x) repeat orders."""
    return np.bincount(given.index, given.weight, len(given.counts))


def _nbd(values: Array, given: History) -> tuple[float, Array]:
    """NBD: a Poisson process whose rate is Gamma(r, alpha) (Fader & Hardie 2005, section 3)."""
    r, alpha = values
    level, slope = gamma_terms(r, given)
    customers = customers_by_count(given)
    # Time in units of alpha, so that little cancels where r and alpha are large.
    total = customers @ (level - given.counts * np.log(alpha))
    by_r = customers @ slope
    by_alpha = customers.sum() * r
    for rows in given.blocks():
        weight, rate = given.weight[rows], 1 + given.T[rows] / alpha
        shape, log_rate = weight * (r + given.x[rows]), np.log(rate)
        total -= shape @ log_rate
        by_r -= weight @ log_rate
        by_alpha -= shape @ (1 / rate)
    return float(total), np.array([by_r, by_alpha / alpha])
