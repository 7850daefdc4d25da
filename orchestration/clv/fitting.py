"""Maximum likelihood on the log of the parameters, with the Laplace covariance around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from orchestration.clv.history import Array
from orchestration.errors import UserError

OK = "ok"
NO_CHURN = "no_churn_identified"
NO_REPEAT_BUYERS = "no_repeat_buyers"
INFINITE_MEAN = "infinite_mean"
CONSTANT_SPEND = "constant_spend"
TOO_FEW = "too_few_customers"
TOO_FEW_PERIODS = "too_few_periods"
DEPENDENT = "value_frequency_dependent"
FLAT = "flat_likelihood"
NOT_CONVERGED = "not_converged"
STATUSES = (
    OK, NO_CHURN, NO_REPEAT_BUYERS, INFINITE_MEAN, CONSTANT_SPEND, TOO_FEW, TOO_FEW_PERIODS,
    DEPENDENT, FLAT, NOT_CONVERGED,
)  # fmt: skip

MIN_CUSTOMERS = 50
# Twice a gain in log-likelihood below the 95 % point of a chi-square with one degree: chance.
NO_GAIN = 1.92
# Nothing is looked for beyond e^±12 (time scaled to 10, money to a mean of 1): from e^11.5 on a
# parameter has run away along a ridge.
_BOUND = 12.0
_FAR_OUT = 11.5
_LEVEL = 1e-5
# A line search may look farther than it may end.
_FARTHEST = 40.0
_STEP = 1e-4
_WORST_CONDITION = 1e10
# A parameter known to no better than a factor of e^5 is not known.
_VAGUE = 5.0**2

# What another engine may fall short of the summit, in log-likelihood of all customers.
_SHORT = 0.01

# Natural parameters to the log-likelihood of all customers and its gradient by them.
Evaluate = Callable[[Array], tuple[float, Array]]
BUILTIN = "builtin"


class Engine(NamedTuple):
    """Something else that finds the summit of a likelihood.

    `summit` takes a submodel and its columns (`weight` among them), time scaled to 10 and money to
    a mean of 1, and returns natural parameters in the order of the model's names, None without any.
    """

    name: str
    summit: Callable[[str, Mapping[str, Array]], Array | None]


class Likelihood(NamedTuple):
    """A likelihood of `n` customers."""

    evaluate: Evaluate
    n: float


@dataclass(frozen=True)
class Fit:
    """What one model says about one population.

    `parameters` is empty where `status` says that there is nothing to score with. A fit in which
    churn cannot be told from slow buying holds the parameters of the model without churn. Where
    customers all buy, stop or spend alike, some parameters grow together without end: one point of
    that ridge is held, status flat_likelihood; answers hold, a single parameter means nothing.
    `covariance` is that of the logs of the parameters, in their order; empty where the likelihood
    is too flat for one. `n` is the number of customers (sum of weights) that it was fitted on,
    `engine` what has found the parameters.
    """

    submodel: str
    status: str
    n: float
    parameters: Mapping[str, float] = field(default_factory=dict)
    covariance: tuple[tuple[float, ...], ...] = ()
    log_likelihood: float | None = None
    converged: bool = False
    engine: str = BUILTIN

    @property
    def log_sd(self) -> dict[str, float | None]:
        """Standard error of the log of each parameter, None where there is no covariance."""
        return {
            name: float(np.sqrt(self.covariance[i][i])) if self.covariance else None
            for i, name in enumerate(self.parameters)
        }


@dataclass(frozen=True)
class Optimum:
    """`values` are natural parameters, `hessian` that of the mean negative log-likelihood."""

    values: Array
    hessian: Array
    log_likelihood: float
    converged: bool
    engine: str = BUILTIN

    def covariance(self, n: float) -> tuple[tuple[float, ...], ...]:
        """Laplace: the inverse of the information of n customers; empty on a ridge, which has no
        summit."""
        if self.values.max() > np.exp(_FAR_OUT) or not _is_regular(self.hessian):
            return ()
        found = np.linalg.inv(self.hessian * n)
        return () if found.diagonal().max() > _VAGUE else tuple(map(tuple, found.tolist()))


def maximise(whole: Likelihood, size: int, sample: Likelihood | None = None) -> Optimum:
    """Climb from 1 in each of `size` parameters; `sample` is a smaller likelihood to begin with.

    Quasi-Newton steps on the whole start from the curvature at the sample's summit, so that few of
    them are needed.
    """
    rough, descent = _descent(sample or whole), _descent(whole)
    near = _within_bounds(rough, np.zeros(size))
    curvature = _hessian(rough, near)
    found = None
    if _is_regular(curvature):
        inverse = np.linalg.inv(curvature)
        start = {"hess_inv0": (inverse + inverse.T) / 2, "gtol": 1e-8}
        found = minimize(descent, near, jac=True, method="BFGS", options=start).x
    if found is None or not np.abs(found).max() < _BOUND:
        found = _within_bounds(descent, near)
    value, gradient = descent(found)
    # On a ridge there is ever less to gain, and nothing to learn, farther out.
    gradient = np.where(found > _FAR_OUT, np.maximum(gradient, 0.0), gradient)
    settled = np.abs(gradient).max() < _LEVEL and found.min() > -_BOUND
    return Optimum(np.exp(found), _hessian(descent, found), -float(value) * whole.n, bool(settled))


def judged(
    whole: Likelihood, size: int, engine: Engine, submodel: str, columns: Mapping[str, Array]
) -> Optimum:
    """What another engine finds, with the curvature that the likelihood has there. It has converged
    if a Newton step would add next to nothing to the likelihood."""
    values = engine.summit(submodel, columns)
    if values is None or not np.all(np.isfinite(values)) or values.min() <= 0:
        return Optimum(np.ones(size), np.zeros((size, size)), -np.inf, False)
    descent = _descent(whole)
    logs = np.log(values)
    value, gradient = descent(logs)
    hessian = _hessian(descent, logs)
    if not (np.isfinite(value) and np.all(np.isfinite(hessian))):
        return Optimum(values, hessian, -np.inf, False)
    steepness, axes = np.linalg.eigh(hessian)
    gain = whole.n / 2 * ((axes.T @ gradient) ** 2 / np.maximum(np.abs(steepness), _LEVEL)).sum()
    return Optimum(values, hessian, -float(value) * whole.n, bool(gain < _SHORT), engine.name)


def fitted(submodel: str, names: Sequence[str], best: Optimum, n: float, units: ArrayLike) -> Fit:
    """The fit at an optimum, in the caller's units of time or money; without its likelihood,
    which depends on them too."""
    if not best.converged:
        return Fit(submodel, NOT_CONVERGED, n)
    values = dict(zip(names, (best.values * units).tolist(), strict=True))
    covariance = best.covariance(n)
    status = OK if covariance else FLAT
    return Fit(submodel, status, n, values, covariance, None, True, best.engine)


def values_of(parameters: Mapping[str, float], names: Sequence[str]) -> Array:
    """Parameters in the order of `names`; raises UserError unless each is there and positive."""
    if set(parameters) != set(names) or not all(parameters[name] > 0 for name in names):
        raise UserError(f"Parameters must be {', '.join(names)}, each above 0.")
    return np.array([parameters[name] for name in names], float)


def _descent(likelihood: Likelihood) -> Callable[[Array], tuple[float, Array]]:
    """The mean negative log-likelihood and its gradient by the logs of the parameters."""

    def mean(logs: Array) -> tuple[float, Array]:
        values = np.exp(np.clip(logs, -_FARTHEST, _FARTHEST))
        total, gradient = likelihood.evaluate(values)
        return -total / likelihood.n, -gradient * values / likelihood.n

    return mean


def _within_bounds(descent: Callable[[Array], tuple[float, Array]], start: Array) -> Array:
    # Not L-BFGS-B: its small systems wake OpenBLAS threads that cost more than all the rest.
    bounds = [(-_BOUND, _BOUND)] * len(start)
    limits = {"maxiter": 500, "ftol": 1e-13}
    return minimize(descent, start, jac=True, method="SLSQP", bounds=bounds, options=limits).x


def _hessian(descent: Callable[[Array], tuple[float, Array]], logs: Array) -> Array:
    """Central differences of the analytic gradient."""
    steps = np.eye(len(logs)) * _STEP
    rows = [(descent(logs + step)[1] - descent(logs - step)[1]) / (2 * _STEP) for step in steps]
    return (np.array(rows) + np.array(rows).T) / 2


def _is_regular(hessian: Array) -> bool:
    if not np.all(np.isfinite(hessian)):
        return False
    least, *_, most = np.linalg.eigvalsh(hessian) if len(hessian) > 1 else [hessian[0, 0]] * 2
    return bool(least > 0 and most / least < _WORST_CONDITION)
