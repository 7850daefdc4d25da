"""Which model would have been right: every candidate, at several days in the past.

A candidate sees what was known on such an origin and is asked about the horizon that follows.
Nothing is rescaled by the error found: that made the next period worse as often as better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from orchestration.clv import learning, metrics
from orchestration.clv.config import ClvSettings
from orchestration.clv.cuts import Cut, Facts, Outcome, day_of
from orchestration.clv.fitting import MIN_CUSTOMERS
from orchestration.clv.forecasts import (
    BLEND,
    BOOSTED,
    MEAN_RATE,
    PROBABILITY_MODELS,
    RULES_OF_THUMB,
    SIMPLEST_FIRST,
    Fitted,
    Forecast,
    candidate,
    fit_models,
    p_order,
    value_per_order,
)
from orchestration.clv.history import Array
from orchestration.clv.simulation import Intervals, conformal_factor, coverage, intervals

LEAST_HORIZON, MOST_HORIZON = 90, 365
_LEARNED_FROM = 180
_YEAR = 365
_APART = 30
# A difference this small, relative, is none.
_TIE = 1e-3
# Enough customers of an origin to measure an interval by.
_MEASURED = 1_000


@dataclass(frozen=True)
class Plan:
    """Horizon in days and the origins (newest first) that history allows, none if it is short."""

    horizon: int
    origins: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Origin:
    """What the candidates said on a day, and what came; `churn` is P(an order) within the churn
    horizon by each model, `ordered` (1 or 0) whether one came."""

    cut: Cut
    outcome: Outcome
    fitted: Fitted
    forecasts: dict[str, Forecast]
    churn: dict[str, Array]
    ordered: Array


@dataclass(frozen=True)
class Choice:
    """The champion and by which rule: lowest_error, kept (the former one, not beaten twice),
    smallest_bias (none within the limit), no_backtest."""

    name: str
    rule: str
    bias: float | None = None


@dataclass(frozen=True, eq=False)
class Backtest:
    """`base` is the probability model whose P(alive), P(an order) and intervals are shown, `churn`
    the model of P(an order) within the churn horizon; `curve` calibrates the latter (None: as it
    is, it is nearer), `factor` widens intervals of value. `rows` and `deciles` are those of the
    files, less the run's id."""

    plan: Plan
    choice: Choice
    base: str
    churn: str
    churn_days: int
    curve: tuple[Array, Array] | None = None
    factor: float | None = None
    coverage: float | None = None
    totals: tuple[float, float] | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    deciles: list[dict[str, Any]] = field(default_factory=list)


def plan(first: int | None, as_of: int) -> Plan:
    """As long a horizon as leaves half a year to learn from and as much again for origins; with a
    year's room the oldest origin is a year before the newest, in the same season."""
    days = as_of - first if first is not None else 0
    seasonal = days - _LEARNED_FROM - _YEAR
    horizon = seasonal if seasonal >= _LEARNED_FROM else (days - _LEARNED_FROM) // 2
    horizon = int(np.clip(horizon, LEAST_HORIZON, MOST_HORIZON))
    room = min(days - _LEARNED_FROM - horizon, _YEAR)
    if room < _APART:
        return Plan(horizon, ())
    steps = min(room // _APART, 3)
    newest = as_of - horizon
    return Plan(horizon, tuple(newest - round(room * at / steps) for at in range(steps + 1)))


def backtest(
    facts: Facts,
    settings: ClvSettings,
    former: str | None,
    progress: Callable[[str], None] = lambda _: None,
) -> Backtest:
    """All origins of the plan; `former` is the champion of the run before."""
    planned = plan(facts.first_day, facts.as_of)
    churn_days = min(settings.churn_horizon_days, planned.horizon)
    origins = []
    for at, on in enumerate(planned.origins, start=1):
        progress(
            f"backtest {at} of {len(planned.origins)}: the {planned.horizon} days after "
            f"{day_of(on)}, from what was known then"
        )
        one = _origin(facts, on, planned.horizon, churn_days, settings)
        if one is not None:
            origins.append(one)
    if len(origins) < 2:
        none = Plan(planned.horizon, ())
        base = PROBABILITY_MODELS[0]
        return Backtest(none, Choice(base, "no_backtest"), base, base, churn_days)
    origins = [_as_shown(one, _base(origins, BOOSTED)) for one in origins]
    choice = champion(origins, former, settings.bias_limit)
    base = _base(origins, choice.name)
    churn = _least_brier(origins, base)
    curve, calibrated_rows = calibrated(origins, churn, churn_days)
    factor, covered, rows = _intervals(origins, base, planned.horizon, settings)
    totals = [
        float(one.outcome.value.sum() / predicted)
        for one in origins
        if choice.name in one.forecasts
        and (predicted := one.forecasts[choice.name].value.sum()) > 0
    ]
    return Backtest(
        planned, choice, base, churn, churn_days, curve, factor, covered,
        (min(totals), max(totals)) if totals else None,
        [*metric_rows(origins, planned.horizon, churn_days), *rows, *calibrated_rows],
        list(decile_rows(origins, planned.horizon)),
    )  # fmt: skip


def champion(origins: Sequence[Origin], former: str | None, bias_limit: float) -> Choice:
    """The lowest absolute error of value among those whose total is within the limit; of equals
    the simpler; the former champion unless it is beaten on two origins."""
    errors, biases = {}, {}
    seen = {name: [one for one in origins if name in one.forecasts] for name in SIMPLEST_FIRST}
    seen = {name: some for name, some in seen.items() if len(some) >= 2}
    # On the same origins if there are two: one that is hard for all must not count for some only.
    common = [one for one in origins if all(name in one.forecasts for name in seen)]
    for name, own in seen.items():
        some = common if len(common) >= 2 else own
        # Origins differ in level: each counts by the error of the same rule of thumb on it.
        relative = [_mae(one, name) / (_mae(one, MEAN_RATE) or 1) for one in some]
        errors[name] = float(np.mean(relative))
        actual = sum(float(one.outcome.value.sum()) for one in some)
        predicted = sum(float(one.forecasts[name].value.sum()) for one in some)
        biases[name] = predicted / actual - 1 if actual > 0 else float("inf") * (predicted > 0)
    biases = {name: 0.0 if np.isnan(one) else one for name, one in biases.items()}
    fair = [name for name in errors if abs(biases[name]) <= bias_limit]
    if not fair:
        nearest = min(biases, key=lambda name: abs(biases[name]))
        return Choice(nearest, "smallest_bias", biases[nearest])
    least = min(errors[name] for name in fair)
    best = next(name for name in fair if errors[name] <= least * (1 + _TIE))
    if former in fair and former != best:
        both = [one for one in origins if former in one.forecasts and best in one.forecasts]
        if sum(_mae(one, best) < _mae(one, former) for one in both) < 2:
            return Choice(former, "kept", biases[former])
    return Choice(best, "lowest_error", biases[best])


def learned(facts: Facts, cut: Cut, days: int, settings: ClvSettings) -> tuple[Cut, Outcome] | None:
    """An earlier cut to learn `days` ahead from, and what came after it; None where scikit-learn is
    missing or history too short."""
    first = facts.first_day
    if not settings.use_learning or not learning.available():
        return None
    if first is None or cut.on - first < 2 * days:
        return None
    earlier = facts.cut(cut.on - days, cut.window)
    if len(earlier) < learning.MIN_CUSTOMERS:
        return None
    return earlier, facts.outcome(earlier, days)


def blended(one: Forecast, orders: Array, value: Array) -> Forecast:
    """Half of each."""
    return one.said_by((one.orders + orders) / 2, (one.value + value) / 2)


def _origin(
    facts: Facts, on: int, days: int, churn_days: int, settings: ClvSettings
) -> Origin | None:
    cut = facts.cut(on, days)
    if len(cut) < MIN_CUSTOMERS:
        return None
    outcome = facts.outcome(cut, days)
    fitted = fit_models(cut, sampled=True)
    each = value_per_order(fitted.value, cut)
    forecasts = {
        name: found
        for name in (*RULES_OF_THUMB, *PROBABILITY_MODELS)
        if (found := candidate(name, fitted, cut, days, each)) is not None
    }
    churn = {
        name: p_order(fitted.orders[name], cut.statistics, churn_days)[cut.row]
        for name in PROBABILITY_MODELS
        if fitted.orders[name].parameters
    }
    ordered = (outcome.first <= churn_days).astype(float)
    if (given := learned(facts, cut, days, settings)) is not None:
        earlier, then = given
        orders, value = learning.boosted(earlier, then.orders, then.value, cut, settings.seed)
        forecasts[BOOSTED] = Forecast(orders, -np.expm1(-orders), value)
        if PROBABILITY_MODELS[-1] in forecasts:
            forecasts[BLEND] = blended(forecasts[PROBABILITY_MODELS[-1]], orders, value)
    if (given := learned(facts, cut, churn_days, settings)) is not None:
        earlier, then = given
        bought = (then.orders > 0).astype(float)
        churn |= learning.purchase_probabilities(earlier, bought, cut, settings.seed)
    return Origin(cut, outcome, fitted, forecasts, churn, ordered)


def _as_shown(one: Origin, base: str) -> Origin:
    """The learned orders with the P(an order) that the run shows beside them, from the base."""
    said, usual = one.forecasts.get(BOOSTED), one.forecasts.get(base)
    if said is None or usual is None:
        return one
    return replace(one, forecasts=one.forecasts | {BOOSTED: usual.said_by(said.orders, said.value)})


def _mae(one: Origin, name: str) -> float:
    return metrics.mean_absolute_error(one.forecasts[name].value, one.outcome.value)


def _base(origins: Sequence[Origin], name: str) -> str:
    """The champion if it is a probability model, the half of a blend that is one, else that with
    the lower error of orders."""
    if name in PROBABILITY_MODELS:
        return name
    if name == BLEND:
        return PROBABILITY_MODELS[-1]

    def error(model: str) -> float:
        some = [one for one in origins if model in one.forecasts]
        return float(
            np.mean(
                [
                    metrics.mean_absolute_error(one.forecasts[model].orders, one.outcome.orders)
                    for one in some
                ]
            )
            if some
            else np.inf
        )

    return min(PROBABILITY_MODELS, key=error)


def _least_brier(origins: Sequence[Origin], base: str) -> str:
    """The model of P(an order) nearest to what came; a learned one must be there at two origins."""
    names = {name for one in origins for name in one.churn}
    scored = {}
    for name in sorted(names):
        some = [one for one in origins if name in one.churn and base in one.churn]
        if len(some) >= 2:
            scored[name] = np.mean(
                [
                    metrics.brier(one.churn[name], one.ordered)
                    - metrics.brier(one.churn[base], one.ordered)
                    for one in some
                ]
            )
    best = min(scored, key=lambda name: scored[name], default=base)
    # Less than a tenth of a percentage point is none.
    return best if scored.get(best, 0.0) < -_TIE else base


def _intervals(
    origins: Sequence[Origin], base: str, days: int, settings: ClvSettings
) -> tuple[float | None, float | None, list[dict[str, Any]]]:
    """Those of the base model, drawn for some customers of each origin."""
    drawn = []
    for one in origins:
        fit = one.fitted.orders[base]
        if not fit.parameters:
            continue
        some = np.arange(0, len(one.cut), -(-len(one.cut) // _MEASURED))
        given = intervals(one.cut, fit, one.fitted.value, days, settings.draws, settings.seed, some)
        actual = one.outcome.value[some]
        drawn.append((one, given, actual, one.outcome.orders[some]))
    return covering(drawn, base, days)


def covering(
    drawn: Sequence[tuple[Origin, Intervals, Array, Array]], model: str, days: int
) -> tuple[float | None, float | None, list[dict[str, Any]]]:
    """What intervals of value are to be widened by, from all origins; their mean coverage with the
    factor of the other origins; rows. `drawn` has intervals, value and orders of customers."""
    if not drawn:
        return None, None, []
    factors = [conformal_factor(given, actual) for _, given, actual, _ in drawn]
    rows, covered = [], []
    for at, (one, given, actual, orders) in enumerate(drawn):
        others = factors[:at] + factors[at + 1 :]
        wide = given.widened(float(np.mean(others))) if others else given
        covered.append(coverage(wide.value, actual))
        for measure, name, value in (
            ("value", "coverage_90", covered[-1]),
            ("value", "coverage_90_unadjusted", coverage(given.value, actual)),
            ("orders", "coverage_90", coverage(given.orders, orders)),
        ):
            rows.append(_row(one, days, model, measure, name, value))
    return float(np.mean(factors)), float(np.mean(covered)), rows


def calibrated(
    origins: Sequence[Origin], churn: str, days: int
) -> tuple[tuple[Array, Array] | None, list[dict[str, Any]]]:
    """The curve of all origins, if one of the other origins brings each nearer to what came."""
    some = [one for one in origins if churn in one.churn]

    def curve(given: Sequence[Origin]) -> tuple[Array, Array]:
        said = np.concatenate([one.churn[churn] for one in given])
        return metrics.calibration(said, np.concatenate([one.ordered for one in given]))

    if len(some) < 2:
        return None, []
    gain, rows = 0.0, []
    for one in some:
        said = np.interp(one.churn[churn], *curve([other for other in some if other is not one]))
        error = metrics.brier(said, one.ordered)
        gain += metrics.brier(one.churn[churn], one.ordered) - error
        totals = float(1 - one.ordered.mean()), float(1 - said.mean())
        rows.append(_row(one, days, churn, "churn", "brier_calibrated", error, *totals))
    return curve(some) if gain > 0 else None, rows


def _row(
    one: Origin, days: int, model: str, measure: str, metric: str, value: float,
    actual: float | None = None, predicted: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "origin_on": day_of(one.cut.on),
        "horizon_days": days,
        "model_name": model,
        "measure": measure,
        "metric": metric,
        "actual": actual,
        "predicted": predicted,
        "value": value if np.isfinite(value) else None,
    }


def metric_rows(origins: Sequence[Origin], days: int, churn_days: int) -> Iterable[dict[str, Any]]:
    """Rows of the file, of all candidates on all origins."""
    for one in origins:
        for name, said in one.forecasts.items():
            for measure, predicted, actual in (
                ("orders", said.orders, one.outcome.orders),
                ("value", said.value, one.outcome.value),
            ):
                totals = float(actual.sum()), float(predicted.sum())
                for metric, value in metrics.accuracy(predicted, actual).items():
                    both = totals if metric == "bias" else ()
                    yield _row(one, days, name, measure, metric, value, *both)
            happened = (one.outcome.orders > 0).astype(float)
            totals = float(happened.mean()), float(said.p_order.mean())
            value = metrics.brier(said.p_order, happened)
            yield _row(one, days, name, "orders", "brier_p_order", value, *totals)
        for name, said in one.churn.items():
            churned = 1 - one.ordered
            totals = float(churned.mean()), float((1 - said).mean())
            value = metrics.brier(1 - said, churned)
            yield _row(one, churn_days, name, "churn", "brier", value, *totals)


def decile_rows(origins: Sequence[Origin], days: int) -> Iterable[dict[str, Any]]:
    """Rows of the file, best tenth by expected value first."""
    for one in origins:
        for name, said in one.forecasts.items():
            for decile, rows in enumerate(metrics.deciles(said.value), start=1):
                yield {
                    "origin_on": day_of(one.cut.on),
                    "horizon_days": days,
                    "model_name": name,
                    "decile": decile,
                    "customer_count": len(rows),
                    "mean_predicted_orders": float(said.orders[rows].mean()),
                    "mean_actual_orders": float(one.outcome.orders[rows].mean()),
                    "mean_predicted_value": float(said.value[rows].mean()),
                    "mean_actual_value": float(one.outcome.value[rows].mean()),
                }
