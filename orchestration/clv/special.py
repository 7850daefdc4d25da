"""Functions of large arguments that a difference of two library values would lose."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from orchestration.clv.history import Array

_LARGE = 100.0


def log_rise(a: float, n: ArrayLike) -> Array:
    """ln Γ(a + n) - ln Γ(a), exact to rounding in n alone: Stirling's series for large a."""
    step = np.asarray(n, float)
    if a < _LARGE:
        return gammaln(a + step) - gammaln(a)
    series = (a - 0.5) * np.log1p(step / a) + step * (np.log(a + step) - 1)
    return series + _rest(a + step) - _rest(a)


def _rest(a: ArrayLike) -> Array:
    inverse = 1 / np.asarray(a, float)
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square / 1260))
