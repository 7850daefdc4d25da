"""BG/NBD and MBG/NBD: orders are Poisson, and after an order a customer may stop for good.

The rate of orders is Gamma(r, alpha) over customers, the probability to stop Beta(a, b).
BG/NBD: Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, equations 6 to 10; the
coin is tossed after every repeat order. MBG/NBD: Batislam, Denizel & Filiztekin (2007), Empirical
validation and comparison of models for customer base analysis, appendix; it is tossed after the
first order too. Given that somebody is alive, the two are one model with b + x or b + x + 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from orchestration.clv.history import Array, History
from orchestration.clv.orders import (
    OrderModel,
    arrival_quantile,
    customers_by_count,
    first_arrival,
    gamma_terms,
)
from orchestration.clv.quadrature import NODES, beta_nodes
from orchestration.clv.special import log_rise

_LARGEST_EXPONENT = 700.0


class BetaGeometric(OrderModel):
    """Parameters r, alpha (a time), a, b."""

    names = ("r", "alpha", "a", "b")
    times = ("alpha",)

    def __init__(self, name: str, tosses_at_first_order: bool) -> None:
        self.name = name
        self.tosses = int(tosses_at_first_order)

    def _stopped_odds(self, a: float, b: float, counts: Array) -> Array:
        """ln of how much likelier stopping at the last order is than going on, times apart."""
        after = b + counts - 1 + self.tosses
        if self.tosses:
            return np.log(a) - np.log(after)
        # Nobody can have stopped before a first toss.
        repeat = counts > 0
        return np.where(repeat, np.log(a) - np.log(np.where(repeat, after, 1.0)), -np.inf)

    def evaluate(self, values: Array, given: History) -> tuple[float, Array]:
        r, alpha, a, b = values
        counts = given.counts
        tossed = counts + self.tosses
        customers = customers_by_count(given)
        gamma, gamma_by_r = gamma_terms(r, given)
        beta = log_rise(b, tossed) - log_rise(a + b, tossed)
        by_both = digamma(a + b) - digamma(a + b + tossed)
        by_b_alone = digamma(b + tossed) - digamma(b)
        odds = self._stopped_odds(a, b, counts)

        # Time in units of alpha, so that little cancels where r and alpha are large.
        total = customers @ (gamma + beta - counts * np.log(alpha))
        by_r = customers @ gamma_by_r
        by_alpha = customers.sum() * r
        stopped_customers = np.zeros(len(counts))
        for rows in given.blocks():
            x, index, weight = given.x[rows], given.index[rows], given.weight[rows]
            now, last = 1 + given.T[rows] / alpha, 1 + given.t_x[rows] / alpha
            log_now = np.log(now)
            log_ratio = log_now - np.log(last)
            shape = r + x
            exponent = shape * log_ratio + odds[index]
            small = np.exp(-np.abs(exponent))
            one_more = 1 + small
            stopped = weight * np.where(exponent > 0, 1.0, small) / one_more
            weighted = weight * shape
            total += weight @ (np.maximum(exponent, 0.0) + np.log(one_more)) - weighted @ log_now
            by_r += stopped @ log_ratio - weight @ log_now
            by_alpha += (stopped * shape) @ (1 / now - 1 / last) - weighted @ (1 / now)
            stopped_customers += np.bincount(index, stopped, len(counts))
        by_a = customers @ by_both + stopped_customers.sum() / a
        after = np.where(stopped_customers > 0, b + tossed - 1, 1.0)
        by_b = customers @ (by_b_alone + by_both) - (stopped_customers / after).sum()
        return float(total), np.array([by_r, by_alpha / alpha, by_a, by_b])

    def alive(self, values: Array, given: History) -> Array:
        """Fader, Hardie & Lee (2008), Computing P(alive) using the BG/NBD model, equation 1."""
        r, alpha, a, b = values
        ratio = np.log((alpha + given.T) / (alpha + given.t_x))
        exponent = (r + given.x) * ratio + self._stopped_odds(a, b, given.counts)[given.index]
        return 1 / (1 + np.exp(np.minimum(exponent, _LARGEST_EXPONENT)))

    def nodes(self, values: Array, counts: Array) -> tuple[Array, Array]:
        """Nodes and weights of the probability to stop of those alive after so many repeat orders,
        both of shape (counts, NODES)."""
        _, _, a, b = values
        return beta_nodes(a, b + counts + self.tosses, NODES)

    def orders_if_alive(self, values: Array, given: History, horizons: Array) -> Array:
        """E[(1 - ((alpha+T) / (alpha+T+p h))^(r+x)) / p] over p ~ Beta(a, b+x): equation 10 of
        Fader, Hardie & Lee without its hypergeometric function."""
        r, alpha, *_ = values
        x, T, pair = _pairs(given)
        found = np.empty((len(horizons), len(x)))
        counts, at = np.unique(x, return_inverse=True)
        nodes, weights = self.nodes(values, counts)
        for rows in History(x, T, T, T).blocks():
            shape, rate = (r + x[rows])[:, None], (alpha + T[rows])[:, None]
            p, weight = nodes[at[rows]], weights[at[rows]]
            for answer, horizon in zip(found, horizons, strict=True):
                answer[rows] = (weight * _orders_at(shape, rate, p, horizon)).sum(axis=1)
        return found[:, pair]

    def order_if_alive(self, values: Array, given: History, horizon: float) -> Array:
        r, alpha, *_ = values
        return first_arrival(r + given.x, alpha + given.T, horizon)

    def wait_if_alive(self, values: Array, given: History, probability: Array) -> Array:
        r, alpha, *_ = values
        return arrival_quantile(r + given.x, alpha + given.T, probability)


def _orders_at(shape: Array, rate: Array, p: Array, horizon: float) -> Array:
    """(1 - (rate / (rate + p h))^shape) / p, and its limit shape * h / rate as p falls to 0."""
    step = p * horizon / rate
    tiny = step < 1e-300
    orders = -np.expm1(-shape * np.log1p(step)) / np.where(tiny, 1.0, p)
    return np.where(tiny, shape * horizon / rate, orders)


def _pairs(given: History) -> tuple[Array, Array, NDArray[np.intp]]:
    """The distinct (x, T), which are far fewer than rows, and which of them each row has."""
    ages, age = np.unique(given.T, return_inverse=True)
    keys, pair = np.unique(given.index * len(ages) + age, return_inverse=True)
    return (keys // len(ages)).astype(float), ages[keys % len(ages)], pair


BG_NBD = BetaGeometric("bg_nbd", tosses_at_first_order=False)
MBG_NBD = BetaGeometric("mbg_nbd", tosses_at_first_order=True)
