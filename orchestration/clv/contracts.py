"""Customers with a contract: each order day is a renewal, and who misses one has left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestration.clv import gamma_gamma
from orchestration.clv import shifted_beta_geometric as sbg
from orchestration.clv.backtest import (
    Origin,
    calibrated,
    covering,
    decile_rows,
    metric_rows,
    plan,
)
from orchestration.clv.config import ClvSettings
from orchestration.clv.cuts import Cut, Facts
from orchestration.clv.fitting import MIN_CUSTOMERS, OK, TOO_FEW_PERIODS, Fit
from orchestration.clv.forecasts import Fitted, Forecast, Scores, value_per_order
from orchestration.clv.history import Array
from orchestration.clv.schemas import HORIZONS
from orchestration.clv.scoring import DAYS_PER_YEAR
from orchestration.clv.simulation import QUANTILES, Intervals

CONSTANT = "constant_retention"
# So much of a and b is no spread.
_ALIKE = 1e6
_USUAL_PERIODS = (7, 14, 30, 91, 182, 365)
# Half a period late is gone.
_GRACE = 1.5


@dataclass(frozen=True, eq=False)
class Contracts:
    """The fit, the days between renewals, and the answers, shape (customers,); `leaves` is P(no
    longer a customer within the churn horizon), `renewals` the `QUANTILES` of orders within the
    longest horizon, shape (quantiles, customers)."""

    fit: Fit
    period_days: int | None
    scores: Scores | None = None
    leaves: Array | None = None
    renewals: Array | None = None

    def intervals(self, each: Array, factor: float | None = None) -> Intervals | None:
        """Renewals and their value at `each`, the latter widened by a factor."""
        if self.renewals is None:
            return None
        found = Intervals(self.renewals, self.renewals * each)
        return found.widened(factor) if factor else found


@dataclass(frozen=True, eq=False)
class LookBack:
    """Backtests of renewals: rows of the files less the run's id; `curve` calibrates P(staying)
    where that helps, `factor` widens intervals of value, `bias` is of the value of all origins,
    None without any."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    deciles: list[dict[str, Any]] = field(default_factory=list)
    curve: tuple[Array, Array] | None = None
    factor: float | None = None
    bias: float | None = None

    def calibrated(self, leaves: Array | None) -> Array | None:
        """P(leaving) as backtests found it to come true; who has left has left."""
        if leaves is None or self.curve is None:
            return leaves
        return np.where(leaves == 1, 1.0, 1 - np.interp(1 - leaves, *self.curve))


def contracts(
    cut: Cut,
    churn_days: int,
    annual_discount_rate: float,
    horizons: Sequence[int] = HORIZONS,
) -> Contracts:
    """Renewals ahead of each customer; without scores where the model has no answer."""
    period = usual_period(cut)
    if period is None:
        return Contracts(Fit(sbg.NAME, TOO_FEW_PERIODS, float(len(cut))), None)
    left = has_left(cut, period)
    fit = sbg.fit(cut.x + left, left.astype(float))
    if not fit.parameters:
        return Contracts(fit, period)
    return _ahead(fit, cut, period, churn_days, annual_discount_rate, horizons)


def look_back(facts: Facts, settings: ClvSettings) -> LookBack:
    """The model of renewals, and one rate of renewal for all, on every origin of the plan."""
    if int(facts.is_contractual.sum()) < MIN_CUSTOMERS:
        return LookBack()
    planned = plan(facts.first_day, facts.as_of)
    days, churn_days = planned.horizon, min(settings.churn_horizon_days, planned.horizon)
    origins, drawn = [], []
    for on in planned.origins:
        if (found := _origin(facts, on, days, churn_days, settings)) is not None:
            one, spread = found
            origins.append(one)
            drawn.append((one, spread, one.outcome.value, one.outcome.orders))
    if not origins:
        return LookBack()
    curve, rows = calibrated(origins, sbg.NAME, churn_days)
    factor, _, covered = covering(drawn, sbg.NAME, days)
    actual = sum(float(one.outcome.value.sum()) for one in origins)
    said = sum(float(one.forecasts[sbg.NAME].value.sum()) for one in origins)
    return LookBack(
        [*metric_rows(origins, days, churn_days), *rows, *covered],
        list(decile_rows(origins, days)), curve, factor,
        said / actual - 1 if actual > 0 else None,
    )  # fmt: skip


def _origin(
    facts: Facts, on: int, days: int, churn_days: int, settings: ClvSettings
) -> tuple[Origin, Intervals] | None:
    cut = facts.cut(on, days, contractual=True)
    rate = settings.annual_discount_rate
    found = contracts(cut, churn_days, rate, (days,))
    if found.period_days is None or found.scores is None:
        return None
    period, left = found.period_days, has_left(cut, found.period_days)
    # The same for all: the beta distribution without spread.
    renewed = float(cut.x.sum()) / (float(cut.x.sum()) + float(left.sum()))
    constant = Fit(
        CONSTANT, OK, float(len(cut)), {"a": (1 - renewed) * _ALIKE, "b": renewed * _ALIKE}
    )
    both = {sbg.NAME: found, CONSTANT: _ahead(constant, cut, period, churn_days, rate, (days,))}
    value = gamma_gamma.fit_credibility(cut.value_days, cut.z)
    each = value_per_order(value, cut)
    forecasts, churn = {}, {}
    stayed, known = _stayed(facts, cut, period, churn_days)
    for name, one in both.items():
        assert one.scores is not None and one.leaves is not None
        orders = one.scores.orders[0]
        forecasts[name] = Forecast(orders, one.scores.p_order[0], orders * each)
        if known.any():
            churn[name] = 1 - one.leaves[known]
    outcome = facts.outcome(cut, days)
    origin = Origin(cut, outcome, Fitted({}, (value,)), forecasts, churn, stayed[known])
    spread = found.intervals(each)
    assert spread is not None
    return origin, spread


def _stayed(facts: Facts, cut: Cut, period: int, days: int) -> tuple[Array, NDArray[np.bool_]]:
    """Who renewed whenever it was due within `days` (1 or 0), and of whom that is known: nobody
    before half a period after, since a renewal may be late by so much; not of who had left."""
    end = cut.on + days + period // 2
    if end > facts.as_of:
        return np.zeros(len(cut)), np.zeros(len(cut), bool)
    later = facts.cut(end, contractual=True)
    last = np.full(len(facts.ids), -np.inf)
    last[later.k] = later.on - later.since_last
    due = np.maximum(period - cut.since_last, 0)
    last_due = due + (days - due) // period * period
    stayed = (due > days) | (last[cut.k] >= cut.on + last_due - period // 2)
    return stayed.astype(float), ~has_left(cut, period)


def has_left(cut: Cut, period: int | None) -> NDArray[np.bool_]:
    """Whose contract has ended, or who is late; shape (customers,)."""
    ended = cut.ends_in <= 0
    return ended if period is None else ended | (cut.since_last > _GRACE * period)


def _ahead(
    fit: Fit,
    cut: Cut,
    period: int,
    churn_days: int,
    annual_discount_rate: float,
    horizons: Sequence[int],
) -> Contracts:
    furthest = max(*horizons, churn_days) // period + 1
    beyond = furthest * period + 1
    due = np.maximum(period - cut.since_last, 0)
    lasts = np.where(has_left(cut, period), 0, np.minimum(cut.ends_in, beyond))
    keys, row = np.unique((cut.x * (period + 1) + due) * (beyond + 1) + lasts, return_inverse=True)
    rest, end = np.divmod(keys, beyond + 1)
    age, wait = np.divmod(rest, period + 1)
    ahead = np.arange(1, furthest + 1)
    stays = sbg.survival(fit.parameters, age[:, None] + ahead)
    stays /= sbg.survival(fit.parameters, age)[:, None]
    at = wait[:, None] + (ahead - 1) * period
    stays[at >= end[:, None]] = 0.0
    counts = stays * np.exp(-np.log1p(annual_discount_rate) / DAYS_PER_YEAR * at)
    within = [at <= days for days in horizons]
    first = stays[:, 0]
    # Whoever comes to no renewal within the horizon stays.
    last = np.where(at <= churn_days, stays, 1.0).min(axis=1)
    scores = Scores(
        np.array([(stays * some).sum(axis=1) for some in within]),
        np.array([(counts * some).sum(axis=1) for some in within]),
        np.array([first * some[:, 0] for some in within]),
        (end > 0).astype(float),
        np.where(first >= 0.5, wait.astype(float), np.nan),
    )
    # So many renewals come with more than what the quantile leaves.
    likely = np.where(within[-1], stays, 0.0)
    counts_at = np.array([(likely > 1 - level).sum(axis=1) for level in QUANTILES], float)
    leaves = np.where(end <= churn_days, 1.0, 1 - last)
    return Contracts(fit, period, scores.of(row), leaves[row], counts_at[:, row])


def usual_period(cut: Cut) -> int | None:
    """The usual period nearest to the median gap between order days; None without a gap."""
    some = cut.x > 0
    if not some.any():
        return None
    gap = float(np.median(cut.t_x[some] / cut.x[some]))
    return min(_USUAL_PERIODS, key=lambda days: abs(np.log(days / gap)))
