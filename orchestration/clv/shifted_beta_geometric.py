"""Contracts: the shifted-beta-geometric model of renewals (sBG).

At each renewal a customer leaves with a probability that is Beta(a, b) over customers. Fader &
Hardie (2007), How to Project Customer Retention, equations 5 to 8 and appendix B; Fader & Hardie
(2010), Customer-Base Valuation in a Contractual Setting. Time is counted in periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, digamma

from orchestration.clv.fitting import (
    MIN_CUSTOMERS,
    NO_CHURN,
    TOO_FEW,
    TOO_FEW_PERIODS,
    Fit,
    Likelihood,
    fitted,
    maximise,
    values_of,
)
from orchestration.clv.history import Array, gathered
from orchestration.errors import UserError

NAME = "shifted_beta_geometric"
NAMES = ("a", "b")


def from_survivors(survivors: ArrayLike) -> tuple[Array, Array, Array]:
    """(renewals, left, weight) of one cohort from how many are left after 0, 1, 2, ... renewals.

    Raises UserError unless the numbers never rise.
    """
    counts = gathered({"survivors": survivors}, None)["survivors"]
    if len(counts) < 2 or np.any(np.diff(counts) > 0):
        raise UserError("survivors must be two numbers or more that never rise.")
    last = len(counts) - 1
    renewals = np.append(np.arange(1, last + 1), last).astype(float)
    return renewals, np.append(np.ones(last), 0.0), np.append(-np.diff(counts), counts[-1])


def log_likelihood(
    parameters: Mapping[str, float],
    renewals: ArrayLike,
    left: ArrayLike,
    weight: ArrayLike | None = None,
) -> float:
    """Sum over customers who left at renewal number `renewals` (left = 1, at least 1), or have
    renewed so often and are still there (left = 0); shapes (rows,)."""
    arrays = _rows(renewals, left, weight)
    return _evaluate(values_of(parameters, NAMES), *arrays)[0]


def fit(
    renewals: ArrayLike,
    left: ArrayLike,
    weight: ArrayLike | None = None,
    min_customers: int = MIN_CUSTOMERS,
) -> Fit:
    """Maximum likelihood on rows as `log_likelihood` takes them, of one cohort or of many.

    Status: ok; flat_likelihood, with parameters, where all leave at one rate; no_churn_identified
    where nobody left; too_few_customers; too_few_periods where
    nobody has come to a second renewal; not_converged.
    """
    time, gone, customers = _rows(renewals, left, weight)
    # A customer before the first renewal says nothing.
    kept = (time > 0) & (customers > 0)
    time, gone, customers = time[kept], gone[kept], customers[kept]
    n = float(customers.sum())
    if n < min_customers:
        return Fit(NAME, TOO_FEW, n)
    if time.max() < 2:
        return Fit(NAME, TOO_FEW_PERIODS, n)
    if not gone.any():
        return Fit(NAME, NO_CHURN, n)
    best = maximise(Likelihood(lambda values: _evaluate(values, time, gone, customers), n), 2)
    found = fitted(NAME, NAMES, best, n, [1.0, 1.0])
    return replace(found, log_likelihood=best.log_likelihood) if found.converged else found


def survival(parameters: Mapping[str, float], renewals: ArrayLike) -> Array:
    """P(still there after so many renewals) of a new customer."""
    a, b = values_of(parameters, NAMES)
    return np.exp(betaln(a, b + np.asarray(renewals, float)) - betaln(a, b))


def retention(parameters: Mapping[str, float], renewal: ArrayLike) -> Array:
    """P(renewing at renewal number 1, 2, ...) of those who come to it: it rises with age, since
    those who leave easily have left."""
    a, b = values_of(parameters, NAMES)
    number = np.asarray(renewal, float)
    return (b + number - 1) / (a + b + number - 1)


def expected_renewals(
    parameters: Mapping[str, float],
    age: ArrayLike,
    periods: int,
    discount_rate: float = 0.0,
    is_first_due_now: bool = False,
) -> Array:
    """Expected renewals in the next `periods` of customers who have renewed `age` times, discounted
    by (1 + rate per period) to the power of the time until each. Shape as `age`.

    The next renewal is due after one period, or now where `is_first_due_now`.
    """
    done = np.atleast_1d(np.asarray(age, float))[:, None]
    ahead = np.arange(1, periods + 1)
    chance = survival(parameters, done + ahead) / survival(parameters, done)
    until = ahead - 1 if is_first_due_now else ahead
    return chance @ (1 + discount_rate) ** -until.astype(float)


def _rows(
    renewals: ArrayLike, left: ArrayLike, weight: ArrayLike | None
) -> tuple[Array, Array, Array]:
    arrays = gathered({"renewals": renewals, "left": left}, weight)
    time, gone = arrays["renewals"], arrays["left"]
    if np.any(time != np.floor(time)) or not np.all(np.isin(gone, (0.0, 1.0))):
        raise UserError("renewals must be whole numbers, left 0 or 1.")
    if np.any((gone == 1) & (time == 0)):
        raise UserError(
            "A customer leaves at renewal number 1 at the earliest; left at 0 is wrong."
        )
    return time, gone, arrays["weight"]


def _evaluate(values: Array, time: Array, gone: Array, weight: Array) -> tuple[float, Array]:
    a, b = values
    total = weight @ (betaln(a + gone, b + time - gone) - betaln(a, b))
    whole = digamma(a + b + time)
    by_a = weight @ (digamma(a + gone) - whole - digamma(a) + digamma(a + b))
    by_b = weight @ (digamma(b + time - gone) - whole - digamma(b) + digamma(a + b))
    return float(total), np.array([by_a, by_b])
