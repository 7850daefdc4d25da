"""Orders at set occasions (a yearly gift, a fair): the BG/BB model.

At each occasion a living customer buys with a probability that is Beta(alpha, beta) over customers,
and before it dies with one that is Beta(gamma, delta). Fader, Hardie & Shang (2010), Customer-Base
Analysis in a Discrete-Time Noncontractual Setting, equations 6 to 14. A `History` here counts
occasions: x of them with an order, the last of these number t_x, of T in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import betaln, digamma

from orchestration.clv.fitting import (
    MIN_CUSTOMERS,
    NO_CHURN,
    NO_GAIN,
    NO_REPEAT_BUYERS,
    TOO_FEW,
    Fit,
    Likelihood,
    fitted,
    maximise,
    values_of,
)
from orchestration.clv.history import Array, History
from orchestration.errors import UserError

NAME = "bg_bb"
NAMES = ("alpha", "beta", "gamma", "delta")
# Without churn what remains is the beta-binomial model.
BINOMIAL_NAMES = NAMES[:2]


def log_likelihood(parameters: Mapping[str, float], given: History) -> float:
    """Sum over customers; equation 6, by sequence of orders and not by their number."""
    _check(given)
    return _evaluator(parameters)(_values(parameters), given)[0]


def fit(given: History, min_customers: int = MIN_CUSTOMERS) -> Fit:
    """Maximum likelihood.

    Status: ok; flat_likelihood, with parameters, where customers are all alike; too_few_customers;
    no_repeat_buyers; no_churn_identified where the beta-binomial model, whose (alpha, beta) it then
    holds, is as good; not_converged.
    """
    _check(given)
    given = given.where(given.T > 0)
    n = float(given.weight.sum())
    if n < min_customers:
        return Fit(NAME, TOO_FEW, n)
    if not np.any(given.x * given.weight > 0):
        return Fit(NAME, NO_REPEAT_BUYERS, n)
    best = maximise(Likelihood(lambda values: _evaluate(values, given), n), 4)
    simple = maximise(Likelihood(lambda values: _binomial(values, given), n), 2)
    is_simple = best.log_likelihood - simple.log_likelihood < NO_GAIN
    if is_simple:
        best = simple
    found = fitted(NAME, BINOMIAL_NAMES if is_simple else NAMES, best, n, 1.0)
    if not found.converged:
        return found
    status = NO_CHURN if is_simple else found.status
    return replace(found, status=status, log_likelihood=best.log_likelihood)


def p_alive(parameters: Mapping[str, float], given: History) -> Array:
    """P(alive at the occasion after T), shape (rows,); equation 11. NaN for (alpha, beta) alone."""
    if set(parameters) == set(BINOMIAL_NAMES):
        return np.full(len(given), np.nan)
    return np.exp(_log_living(_values(parameters), given, 1)[:, 0])


def expected_orders(parameters: Mapping[str, float], given: History, occasions: int) -> Array:
    """Expected orders at the next occasions, given the history, shape (rows,); equation 13."""
    values = _values(parameters)
    alpha, beta, *_ = values
    share = (alpha + given.x) / (alpha + beta + given.T)
    return share * np.exp(_log_living(values, given, occasions)).sum(axis=1)


def p_order(parameters: Mapping[str, float], given: History, occasions: int) -> Array:
    """P(an order at one of the next occasions), shape (rows,): no order before the first one."""
    values = _values(parameters)
    alpha, beta, *_ = values
    missed = np.arange(occasions)
    first = _log_choice(alpha, beta, given.x[:, None] + 1, given.T[:, None] + 1 + missed)
    first -= _log_choice(alpha, beta, given.x, given.T)[:, None]
    return np.exp(_log_living(values, given, occasions) + first).sum(axis=1)


def _log_choice(alpha: float, beta: float, x: Array, n: Array) -> Array:
    """ln P(a given sequence of x orders in n occasions)."""
    return betaln(alpha + x, beta + n - x) - betaln(alpha, beta)


def _log_living(values: Array, given: History, occasions: int) -> Array:
    """ln P(alive at occasion T + 1, T + 2, ...) given the history, shape (rows, occasions)."""
    if len(values) == 2:
        return np.zeros((len(given), occasions))
    alpha, beta, gamma, delta = values
    ahead = np.arange(1, occasions + 1)
    lived = betaln(gamma, delta + given.T[:, None] + ahead) - betaln(gamma, delta)
    seen = _log_choice(alpha, beta, given.x, given.T) - _terms(values, given)[0]
    return lived + seen[:, None]


def _terms(values: Array, given: History) -> tuple[Array, Array]:
    """ln of the likelihood of each row, and its derivatives, shape (4, rows)."""
    alpha, beta, gamma, delta = values
    rest = given.T - given.t_x
    # First column: alive to the end; then death before occasion t_x + 1 + i.
    i = np.arange(rest.max(initial=0))
    died = i < rest[:, None]
    occasions = np.column_stack([given.T, given.t_x[:, None] + i])
    deaths = np.append(0.0, np.ones(len(i)))
    x = given.x[:, None]
    log_terms = _log_choice(alpha, beta, x, np.maximum(occasions, x))
    log_terms += betaln(gamma + deaths, delta + occasions) - betaln(gamma, delta)
    log_terms = np.where(np.column_stack([np.ones(len(given), bool), died]), log_terms, -np.inf)
    most = log_terms.max(axis=1, keepdims=True)
    shares = np.exp(log_terms - most)
    summed = shares.sum(axis=1)
    shares /= summed[:, None]

    def mean(integrand: Array) -> Array:
        return (shares * integrand).sum(axis=1)

    bought = digamma(alpha + beta) - mean(digamma(alpha + beta + occasions))
    lived = digamma(gamma + delta) - mean(digamma(gamma + delta + occasions + deaths))
    slopes = [
        digamma(alpha + given.x) - digamma(alpha) + bought,
        mean(digamma(beta + np.maximum(occasions - x, 0))) - digamma(beta) + bought,
        mean(np.broadcast_to(digamma(gamma + deaths), shares.shape)) - digamma(gamma) + lived,
        mean(digamma(delta + occasions)) - digamma(delta) + lived,
    ]
    return np.log(summed) + most[:, 0], np.array(slopes)


def _evaluate(values: Array, given: History) -> tuple[float, Array]:
    log_rows, slopes = _terms(values, given)
    return float(given.weight @ log_rows), slopes @ given.weight


def _binomial(values: Array, given: History) -> tuple[float, Array]:
    alpha, beta = values
    x, n = given.x, given.T
    both = digamma(alpha + beta) - digamma(alpha + beta + n)
    slopes = np.array(
        [
            digamma(alpha + x) - digamma(alpha) + both,
            digamma(beta + n - x) - digamma(beta) + both,
        ]
    )
    return float(given.weight @ _log_choice(alpha, beta, x, n)), slopes @ given.weight


def _evaluator(parameters: Mapping[str, float]):
    return _binomial if set(parameters) == set(BINOMIAL_NAMES) else _evaluate


def _values(parameters: Mapping[str, float]) -> Array:
    is_binomial = set(parameters) == set(BINOMIAL_NAMES)
    return values_of(parameters, BINOMIAL_NAMES if is_binomial else NAMES)


def _check(given: History) -> None:
    whole = all(np.all(array == np.floor(array)) for array in (given.t_x, given.T))
    if not whole or np.any(given.x > given.t_x):
        raise UserError(
            "Occasions must be whole numbers, with no more orders than occasions up to the last."
        )
