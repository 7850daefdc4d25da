"""Customers with a contract: each order day is a renewal, and who misses one has left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.clv import shifted_beta_geometric as sbg
from orchestration.clv.cuts import Cut
from orchestration.clv.fitting import TOO_FEW_PERIODS, Fit
from orchestration.clv.forecasts import Scores
from orchestration.clv.history import Array
from orchestration.clv.schemas import HORIZONS
from orchestration.clv.scoring import DAYS_PER_YEAR

_USUAL_PERIODS = (7, 14, 30, 91, 182, 365)
# Half a period late is gone.
_GRACE = 1.5


@dataclass(frozen=True, eq=False)
class Contracts:
    """The fit, the days between renewals, and the answers, shape (customers,); `leaves` is P(no
    longer a customer within the churn horizon)."""

    fit: Fit
    period_days: int | None
    scores: Scores | None = None
    leaves: Array | None = None


def contracts(
    cut: Cut, period_days: int | None, churn_days: int, annual_discount_rate: float
) -> Contracts:
    """Renewals ahead of each customer; without scores where the model has no answer."""
    period = period_days or usual_period(cut)
    if period is None:
        return Contracts(Fit(sbg.NAME, TOO_FEW_PERIODS, float(len(cut))), None)
    left = cut.since_last > _GRACE * period
    fit = sbg.fit(cut.x + left, left.astype(float))
    if not fit.parameters:
        return Contracts(fit, period)
    due = np.maximum(period - cut.since_last, 0)
    keys, row = np.unique((cut.x * 2 + left) * 1024 + due, return_inverse=True)
    rest, wait = np.divmod(keys, 1024)
    age, gone = np.divmod(rest, 2)
    furthest = max(max(HORIZONS), churn_days) // period + 1
    ahead = np.arange(1, furthest + 1)
    stays = sbg.survival(fit.parameters, age[:, None] + ahead)
    stays /= sbg.survival(fit.parameters, age)[:, None]
    stays[gone == 1] = 0.0
    at = wait[:, None] + (ahead - 1) * period
    counts = stays * np.exp(-np.log1p(annual_discount_rate) / DAYS_PER_YEAR * at)
    within = [at <= days for days in HORIZONS]
    first = stays[:, 0]
    # Whoever comes to no renewal within the horizon stays.
    last = np.where(at <= churn_days, stays, 1.0).min(axis=1)
    scores = Scores(
        np.array([(stays * some).sum(axis=1) for some in within]),
        np.array([(counts * some).sum(axis=1) for some in within]),
        np.array([first * some[:, 0] for some in within]),
        1.0 - gone,
        np.where(first >= 0.5, wait.astype(float), np.nan),
    )
    return Contracts(fit, period, scores.of(row), np.where(gone == 1, 1.0, 1 - last)[row])


def usual_period(cut: Cut) -> int | None:
    """The usual period nearest to the median gap between order days; None without a gap."""
    some = cut.x > 0
    if not some.any():
        return None
    gap = float(np.median(cut.t_x[some] / cut.x[some]))
    return min(_USUAL_PERIODS, key=lambda days: abs(np.log(days / gap)))
