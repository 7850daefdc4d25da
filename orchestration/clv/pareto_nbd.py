"""Pareto/NBD: orders are Poisson, and a customer lives for an exponential time.

Rates of orders are Gamma(r, alpha) over customers, rates of dying Gamma(s, beta). Schmittlein,
Morrison & Colombo (1987), Counting Your Customers; Fader & Hardie (2005), A Note on Deriving the
Pareto/NBD Model, sections 3 to 6.

Their likelihood (equation 17) is the sum of two terms: still alive at T, or died at a moment u
between the last order and T. Papers write the integral over u with Gauss' hypergeometric function,
which overflows for frequent buyers and has no simple derivative by its parameters. Here it stays an
integral, in v = ln((alpha+u) / (alpha+t_x)): smooth, everything in logs, and each derivative is an
integral over the same nodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from orchestration.clv.history import Array, History
from orchestration.clv.orders import OrderModel, customers_by_count, gamma_terms
from orchestration.clv.quadrature import unit_nodes

_BLOCK = 2_048
# The integrand has fallen to e^-34 of where it began: what lies beyond is below a rounding error.
_TAIL = 34.0
_FIT_NODES = 24
_NODES = 32
_MAX_STEPS = 60
_LARGEST_EXPONENT = 700.0


class ParetoNbd(OrderModel):
    """Parameters r, alpha (a time), s, beta (a time)."""

    name = "pareto_nbd"
    names = ("r", "alpha", "s", "beta")
    times = ("alpha", "beta")

    def evaluate(self, values: Array, given: History) -> tuple[float, Array]:
        r, alpha, s, beta = values
        customers = customers_by_count(given)
        n = customers.sum()
        gamma, gamma_by_r = gamma_terms(r, given)
        total = customers @ gamma + n * (r * np.log(alpha) + s * np.log(beta))
        gradient = np.array(
            [
                customers @ gamma_by_r + n * np.log(alpha),
                n * r / alpha,
                n * np.log(beta),
                n * s / beta,
            ]
        )
        for rows in given.blocks(_BLOCK):
            block = given.where(rows)
            log_sum, slopes = _term_sum(values, block)
            total += block.weight @ log_sum
            gradient += slopes @ block.weight
        return float(total), gradient

    def alive(self, values: Array, given: History) -> Array:
        """Fader & Hardie (2005), section 5."""
        found = np.empty(len(given))
        for rows in given.blocks(_BLOCK):
            block = given.where(rows)
            log_died, *_ = _died(values, block, _NODES)
            exponent = np.minimum(log_died - _log_alive(values, block), _LARGEST_EXPONENT)
            found[rows] = 1 / (1 + np.exp(exponent))
        return found

    def orders_if_alive(self, values: Array, given: History, horizons: Array) -> Array:
        """Fader & Hardie (2005), equation 41, with its limit at s = 1."""
        r, alpha, s, beta = values
        grown = np.log1p(horizons[:, None] / (beta + given.T))
        lived = grown if s == 1 else -np.expm1(-(s - 1) * grown) / (s - 1)
        return (r + given.x) / (alpha + given.T) * (beta + given.T) * lived

    def order_if_alive(self, values: Array, given: History, horizon: float) -> Array:
        """The first order comes before the customer dies and within the horizon."""
        _, alpha, *_ = values
        until = np.log1p(horizon / (alpha + given.T))
        found = np.empty(len(given))
        for rows in given.blocks(_BLOCK):
            found[rows] = _ordered(values, given.where(rows), until[rows])
        return found

    def wait_if_alive(self, values: Array, given: History, probability: Array) -> Array:
        """Newton from 0: the probability rises ever more slowly, so no step overshoots."""
        r, alpha, s, beta = values
        until = np.zeros(len(given))
        for _ in range(_MAX_STEPS):
            elapsed = (alpha + given.T) * np.expm1(until)
            slope = (r + given.x) * np.exp(
                -(r + given.x) * until - s * np.log1p(elapsed / (beta + given.T))
            )
            step = (probability - _ordered(values, given, until)) / slope
            until += step
            if np.all(np.abs(step) <= 1e-12 * until):
                break
        return (alpha + given.T) * np.expm1(until)


def _log_alive(values: Array, given: History) -> Array:
    r, alpha, s, beta = values
    return -(r + given.x) * np.log(alpha + given.T) - s * np.log(beta + given.T)


def _died(values: Array, given: History, size: int) -> tuple[Array, Array, Array, Array, Array]:
    """ln of s * integral over u in (t_x, T) of (alpha+u)^-(r+x) (beta+u)^-(s+1), shape (rows,), and
    the shares of the nodes in it, ln(alpha+u), alpha+u and beta+u, shape (rows, size)."""
    r, alpha, s, beta = values
    nodes, weights = unit_nodes(size)
    base = alpha + given.t_x
    shape = r + given.x
    whole = np.log1p((given.T - given.t_x) / base)
    span = np.where(shape > 2, np.minimum(whole, _TAIL / np.maximum(shape - 1, 1)), whole)
    v = span[:, None] * nodes
    log_base = np.log(base)[:, None]
    from_alpha = base[:, None] * np.exp(v)
    from_beta = from_alpha + (beta - alpha)
    # A difference of large numbers may lose beta beside alpha; u itself is never negative.
    from_beta = np.maximum(from_beta, beta + given.t_x[:, None])
    log_terms = -(shape - 1)[:, None] * v - (s + 1) * np.log(from_beta)
    most = log_terms.max(axis=1)
    terms = weights * np.exp(log_terms - most[:, None])
    summed = terms.sum(axis=1)
    with np.errstate(divide="ignore"):
        log_died = np.log(s * span * summed) + most - (shape - 1) * log_base[:, 0]
    return log_died, terms / summed[:, None], log_base + v, from_alpha, from_beta


def _term_sum(values: Array, given: History) -> tuple[Array, Array]:
    """ln(alive term + died term) of shape (rows,) and its derivatives, shape (4, rows)."""
    r, alpha, s, beta = values
    log_alive = _log_alive(values, given)
    log_died, shares, log_from_alpha, from_alpha, from_beta = _died(values, given, _FIT_NODES)
    log_sum = np.logaddexp(log_alive, log_died)
    died = np.exp(log_died - log_sum)

    def mean(integrand: Array) -> Array:
        return np.einsum("ij,ij->i", shares, integrand)

    shape = r + given.x
    slopes_alive = np.array(
        [
            -np.log(alpha + given.T),
            -shape / (alpha + given.T),
            -np.log(beta + given.T),
            -s / (beta + given.T),
        ]
    )
    slopes_died = np.array(
        [
            -mean(log_from_alpha),
            -shape * mean(1 / from_alpha),
            1 / s - mean(np.log(from_beta)),
            -(s + 1) * mean(1 / from_beta),
        ]
    )
    return log_sum, slopes_alive + died * (slopes_died - slopes_alive)


def _ordered(values: Array, given: History, until: ArrayLike) -> Array:
    """P(a first order before ln((alpha+T+time) / (alpha+T)) = until and before dying)."""
    r, alpha, s, beta = values
    nodes, weights = unit_nodes(_NODES)
    shape = r + given.x
    span = np.minimum(until, _TAIL / shape)
    v = span[:, None] * nodes
    elapsed = (alpha + given.T)[:, None] * np.expm1(v)
    survived = -s * np.log1p(elapsed / (beta + given.T)[:, None])
    return shape * span * (np.exp(-shape[:, None] * v + survived) @ weights)


PARETO_NBD = ParetoNbd()
