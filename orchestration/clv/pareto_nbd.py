"""Pareto/NBD: orders are Poisson, and a customer lives for an exponential time.

Rates of orders are Gamma(r, alpha) over customers, rates of dying Gamma(s, beta). Schmittlein,
Morrison & Colombo (1987), Counting Your Customers; Fader & Hardie (2005), A Note on Deriving the
Pareto/NBD Model, sections 3 to 6.

Their likelihood (equation 17) is the sum of two terms: still alive at T, or died at a moment u
between the last order and T. Papers write the integral over u with Gauss' hypergeometric function,
which overflows for frequent buyers and has no simple derivative by its parameters. Here it stays
an integral (`_integral`): smooth, everything in logs, and each derivative of the likelihood is a
mean over the same nodes. The first order of somebody who may die before is the same integral.
"""

from __future__ import annotations

import numpy as np

from orchestration.clv.history import Array, History
from orchestration.clv.orders import OrderModel, customers_by_count, gamma_terms
from orchestration.clv.quadrature import unit_nodes

_BLOCK = 2_048
# Where the integrand has fallen to e^-34 of where it began, the rest is below a rounding error.
_TAIL = 34.0
_TAIL_STEPS = 4
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
        total = customers @ (gamma - given.counts * np.log(alpha))
        gradient = np.array([customers @ gamma_by_r, n * r / alpha, 0.0, n * s / beta])
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
        return _ordered(values, given, np.full(len(given), float(horizon)))

    def wait_if_alive(self, values: Array, given: History, probability: Array) -> Array:
        """Newton from 0: the probability rises ever more slowly, so no step overshoots."""
        r, alpha, s, beta = values
        shape = r + given.x
        by_alpha, by_beta = alpha + given.T, beta + given.T
        wait = np.zeros(len(given))
        for _ in range(_MAX_STEPS):
            log_left = -(shape + 1) * np.log1p(wait / by_alpha) - s * np.log1p(wait / by_beta)
            slope = shape / by_alpha * np.exp(log_left)
            step = (probability - _ordered(values, given, wait)) / slope
            wait += step
            if np.all(np.abs(step) <= 1e-12 * wait):
                break
        return wait


def _log_alive(values: Array, given: History) -> Array:
    """ln of the term of those alive, with time in units of alpha and of beta: little then cancels
    where r and alpha, or s and beta, are large."""
    r, alpha, s, beta = values
    return -(r + given.x) * np.log1p(given.T / alpha) - s * np.log1p(given.T / beta)


def _integral(
    power_a: Array, a: Array, power_b: float, b: Array, length: Array, size: int
) -> tuple[Array, Array, Array]:
    """Integral over w in (0, length) of (a / (a+w))^power_a (b / (b+w))^power_b.

    Its log, shape (rows,), the nodes w and the share of each in it, shape (rows, size). The nodes
    are Gauss-Legendre's in v = ln((c+w) / c), c = min(a, b): nothing is singular near the interval,
    and the log of the integrand falls ever faster, so Newton's steps from the far end approach the
    point where nothing is left from above.
    """
    c = np.minimum(a, b)

    def fall(v: Array, a: Array, b: Array, c: Array, power_a: Array) -> Array:
        w = c * np.expm1(v)
        return power_a * np.log1p(w / a) + power_b * np.log1p(w / b) - v

    span = np.log1p(length / c)
    for _ in range(_TAIL_STEPS):
        beyond = fall(span, a, b, c, power_a) - _TAIL
        here = c * np.exp(span)
        rate = power_a * here / (a - c + here) + power_b * here / (b - c + here) - 1
        span = np.where(beyond > 0, span - beyond / np.where(beyond > 0, rate, 1.0), span)
    nodes, weights = unit_nodes(size)
    v = span[:, None] * nodes
    a, b, c, power_a = (column[:, None] for column in (a, b, c, power_a))
    log_terms = -fall(v, a, b, c, power_a)
    most = log_terms.max(axis=1)
    terms = weights * np.exp(log_terms - most[:, None])
    summed = terms.sum(axis=1)
    with np.errstate(divide="ignore"):
        log_integral = np.log(c[:, 0] * span * summed) + most
    return log_integral, c * np.expm1(v), terms / summed[:, None]


def _died(values: Array, given: History, size: int) -> tuple[Array, Array, Array]:
    """ln of the term of those who died, s / beta * integral over u in (t_x, T) of
    (1+u/alpha)^-(r+x) (1+u/beta)^-(s+1), shape (rows,); the nodes u and their shares in it, shape
    (rows, size)."""
    r, alpha, s, beta = values
    shape, by_alpha, by_beta = r + given.x, alpha + given.t_x, beta + given.t_x
    log_integral, w, shares = _integral(shape, by_alpha, s + 1, by_beta, given.T - given.t_x, size)
    log_died = log_integral + np.log(s / beta) - shape * np.log1p(given.t_x / alpha)
    log_died -= (s + 1) * np.log1p(given.t_x / beta)
    return log_died, given.t_x[:, None] + w, shares


def _term_sum(values: Array, given: History) -> tuple[Array, Array]:
    """ln(alive term + died term) of shape (rows,) and its derivatives, shape (4, rows)."""
    r, alpha, s, beta = values
    log_alive = _log_alive(values, given)
    log_died, u, shares = _died(values, given, _FIT_NODES)
    from_alpha, from_beta = alpha + u, beta + u
    log_sum = np.logaddexp(log_alive, log_died)
    died = np.exp(log_died - log_sum)

    def mean(integrand: Array) -> Array:
        return np.einsum("ij,ij->i", shares, integrand)

    shape = r + given.x
    slopes_alive = np.array(
        [
            -np.log1p(given.T / alpha),
            -shape / (alpha + given.T),
            -np.log1p(given.T / beta),
            -s / (beta + given.T),
        ]
    )
    slopes_died = np.array(
        [
            -mean(np.log(from_alpha / alpha)),
            -shape * mean(1 / from_alpha),
            1 / s - mean(np.log(from_beta / beta)),
            -(s + 1) * mean(1 / from_beta),
        ]
    )
    return log_sum, slopes_alive + died * (slopes_died - slopes_alive)


def _ordered(values: Array, given: History, wait: Array) -> Array:
    """P(a first order within `wait` after T and before dying) of those alive at T."""
    r, alpha, s, beta = values
    shape = r + given.x
    found = np.empty(len(given))
    for rows in given.blocks(_BLOCK):
        by_alpha, by_beta = alpha + given.T[rows], beta + given.T[rows]
        log_integral, *_ = _integral(shape[rows] + 1, by_alpha, s, by_beta, wait[rows], _NODES)
        found[rows] = shape[rows] / by_alpha * np.exp(log_integral)
    return found


PARETO_NBD = ParetoNbd()
