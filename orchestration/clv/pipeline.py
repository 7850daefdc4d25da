"""A model run from facts to tables: gates, backtest, fits, and an answer for everybody.

`predict` is pure; `write` keeps what it returns; `refresh` does both unless the same input was
answered before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from orchestration.clv import bayes, gamma_gamma, learning, monitoring, priors
from orchestration.clv import contracts as renewals
from orchestration.clv.backtest import Backtest, Choice, backtest, blended, learned, plan
from orchestration.clv.config import PYMC, ClvSettings
from orchestration.clv.cuts import UNKNOWN_DAY, Cut, Facts, Ints, day_of
from orchestration.clv.fitting import OK, Fit
from orchestration.clv.forecasts import (
    BLEND,
    BOOSTED,
    PROBABILITY_MODELS,
    RULES_OF_THUMB,
    Fitted,
    Scores,
    candidate,
    fit_models,
    margin_rate,
    model_scores,
    new_orders,
    overall_margin_rate,
    p_order,
    rate_scores,
    rates,
    steady_discount,
    value_per_order,
)
from orchestration.clv.history import Array
from orchestration.clv.monitoring import Former, read_former
from orchestration.clv.schemas import (
    DECILE_SCHEMA,
    HORIZONS,
    METRIC_SCHEMA,
    MONITOR_SCHEMA,
    PREDICTION,
    PREDICTION_SCHEMA,
    READINESS_SCHEMA,
    answer_again,
    tidy,
    utc_now,
    write_run,
)
from orchestration.clv.simulation import Intervals, intervals
from orchestration.clv.tables import Run, to_tables

MODEL, SEGMENT, CHANNEL = "model", "segment_prior", "channel_prior"
CONTRACTUAL, INSUFFICIENT = "contractual", "insufficient_history"
BY_ORDER = "p_order"
SEGMENT_NAME, CHANNEL_NAME = "segment_rate", "first_order_hazard"
# With less than this even a group's rate would be a guess.
_LEAST_BUYERS, _LEAST_DAYS = 10, 30
_LIBRARIES = ("numpy", "scipy", "scikit-learn")

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Predictions:
    """All tables of a run by file name, of the schemas in `schemas.FILES`."""

    model_run_id: str
    tables: dict[str, pa.Table]


@dataclass(frozen=True, eq=False)
class _Part:
    """Answers for the customers `k` on one basis; `each` is the value of an order, `rate` margin
    as a share of it (None: unknown), arrays of shape (customers,)."""

    k: Ints
    basis: str
    model: str
    scores: Scores
    each: Array
    rate: Array | float | None
    churn: Array | None = None
    rule: str | None = None
    spread: Intervals | None = None


def refresh(
    day_changes: Any,
    prospects: Any,
    as_of: date,
    folder: Path,
    settings: ClvSettings | None = None,
    progress: Progress | None = None,
    subscriptions: Any = None,
) -> tuple[str, bool]:
    """The run's id, and whether it was made now: the same facts and settings are answered once, and
    that answer holds from now on."""
    settings = settings or ClvSettings()
    if settings.engine == PYMC:
        bayes.engine()
    tidy(folder)
    facts = Facts(day_changes, prospects, as_of, subscriptions)
    former = read_former(folder, as_of)
    found = _identified(facts, as_of, settings, former)
    if (folder / found.model_run_id / PREDICTION).exists():
        answer_again(folder, found.model_run_id)
        return found.model_run_id, False
    predictions = _predict(facts, found, settings, progress or _silent, former)
    return predictions.model_run_id, write(predictions, folder)


def predict(
    day_changes: Any,
    prospects: Any,
    as_of: date,
    settings: ClvSettings | None = None,
    progress: Progress | None = None,
    former: Former | None = None,
    subscriptions: Any = None,
) -> Predictions:
    """Everything a run has to say.

    `day_changes` and `prospects` are Arrow tables or DuckDB relations with the columns of
    `cuts.CHANGE_COLUMNS` and `cuts.PROSPECT_COLUMNS`, `subscriptions` one with those of
    `cuts.SUBSCRIPTION_COLUMNS`, if any; `former` is the run before (`monitoring.read_former`).
    Money is in the currency of the input. Revenue is net of refunds and without discounting; margin
    is contribution margin, or net sales where no cost is known at all (`margin_mode` 'revenue' in
    the run's config; expected_margin is then NULL). The interval is that of discounted_margin_365.
    Raises UserError for missing columns.
    """
    settings = settings or ClvSettings()
    facts = Facts(day_changes, prospects, as_of, subscriptions)
    run = _identified(facts, as_of, settings, former)
    return _predict(facts, run, settings, progress or _silent, former)


def write(predictions: Predictions, folder: Path) -> bool:
    """Keep a run in `folder`, whole or not at all; False where it is there already."""
    return write_run(folder, predictions.model_run_id, predictions.tables)


def _silent(_: str) -> None:
    return None


def _identified(facts: Facts, as_of: date, settings: ClvSettings, former: Former | None) -> Run:
    """The run's name, from all that its answer depends on."""
    libraries = _LIBRARIES + (bayes.LIBRARIES if settings.engine == PYMC else ())
    versions = {name: found for name in libraries if (found := _version(name))}
    config = settings.as_dict() | {"former_run_id": former.model_run_id if former else None}
    statistics, code = facts.content_hash(), _code_hash()
    text = json.dumps([statistics, config, versions, code], sort_keys=True)
    name = f"{as_of.isoformat()}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    now = utc_now()
    return Run(
        name, as_of, statistics_hash=statistics, code_commit=code, versions=versions,
        config=config, fitted_at=now.replace(microsecond=0), answered_at=now,
    )  # fmt: skip


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _code_hash() -> str:
    """Of the models' source: an upgrade answers anew."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _predict(
    facts: Facts, run: Run, settings: ClvSettings, progress: Progress, former: Former | None
) -> Predictions:
    horizon = plan(facts.first_day, facts.as_of).horizon
    # Churn is asked of everybody over the same days: those that backtests can see the end of.
    churn_days = min(settings.churn_horizon_days, horizon)
    settings = replace(settings, churn_horizon_days=churn_days)
    cut = facts.cut(facts.as_of, horizon)
    gates = readiness(facts, cut, settings)
    is_ready = all(is_met for *_, is_met in gates)
    tested = _untested(settings)
    if is_ready:
        tested = backtest(facts, settings, former.champion if former else None, progress)
        progress(_verdict(tested))
    else:
        progress(f"no model of single customers yet: {_missing(gates)}")
    engine = bayes.engine() if settings.engine == PYMC else None
    if engine is not None:
        progress(f"{engine.name} fits the models of {len(cut):,} buyers")
    fitted = fit_models(cut, engine=engine)
    base = _usable(fitted, tested.base) if is_ready else None
    champion = _champion(tested.choice.name, base)
    contract = _contracts(facts, settings)
    renewed = renewals.look_back(facts, settings)
    parts = [
        *_contract_parts(facts, contract, renewed, settings),
        *_buyer_parts(facts, cut, fitted, tested, base, champion, settings),
    ]
    parts += _prospect_parts(facts, cut, fitted, base, settings)
    cuts = [cut, *([contract[0]] if contract else [])]
    # Net sales never stand beside margin: whose costs are unknown earns as all do whose are known.
    share = overall_margin_rate(cuts)
    parts = [part if part.rate is not None else replace(part, rate=share) for part in parts]
    discount = steady_discount(HORIZONS[-1], settings.annual_discount_rate)
    prediction = _prediction(run, facts, cuts, parts, discount)
    progress(f"{_answered(prediction):,} of {prediction.num_rows:,} customers have a prediction")

    fits = [*fitted.orders.values(), *fitted.value_fits]
    if contract is not None:
        fits.append(contract[1].fit)
    if champion is not None and champion not in {fit.submodel for fit in fits}:
        fits.append(Fit(champion, OK, float(len(cut)), converged=True))
    mode = "revenue" if share is None else "contribution"
    run = _told(run, facts, cut, fitted, tested, base, champion, contract, mode, settings)
    tables = to_tables(run, fits, np.unique(cut.x) if len(cut) else ())
    checks = _checks(facts, cut, fits, tested, renewed, prediction, settings, former)
    rows = {
        "backtest_metric": ([*tested.rows, *renewed.rows], METRIC_SCHEMA),
        "backtest_decile": ([*tested.deciles, *renewed.deciles], DECILE_SCHEMA),
        "readiness": (_named(("gate", "required", "actual", "is_met"), gates), READINESS_SCHEMA),
        "monitor": (
            _named(("check_name", "value", "limit_value", "status"), checks), MONITOR_SCHEMA,
        ),
    }  # fmt: skip
    return Predictions(
        run.model_run_id,
        {
            "model_run": tables.runs,
            "model_parameters": tables.parameters,
            "model_covariance": tables.covariance,
            "quadrature_nodes": tables.nodes,
            "prediction": prediction,
        }
        | {
            name: pa.Table.from_pylist(
                [{"model_run_id": run.model_run_id} | row for row in found], schema
            )
            for name, (found, schema) in rows.items()
        },
    )


def readiness(
    facts: Facts, cut: Cut, settings: ClvSettings
) -> list[tuple[str, float, float, bool]]:
    """(gate, required, actual, is_met): all must be met before a model speaks for single people."""
    first = facts.first_day
    actual = {
        "buyers": (settings.min_buyers, len(cut)),
        "history_days": (settings.min_history_days, 0 if first is None else facts.as_of - first),
        f"orders_in_last_{settings.fresh_days}_days": (
            1, int((cut.since_last < settings.fresh_days).sum()),
        ),
        f"buyers_with_{settings.regular_orders}_orders": (
            settings.min_regular_buyers, int((cut.n >= settings.regular_orders).sum()),
        ),
    }  # fmt: skip
    return [
        (gate, float(required), float(found), found >= required)
        for gate, (required, found) in actual.items()
    ]


def _verdict(tested: Backtest) -> str:
    """Who predicts, in a line for whoever waits."""
    name, bias = tested.choice.name, tested.choice.bias
    if not tested.plan.origins:
        return f"{name} predicts; history is too short to compare it with others"
    side = "high" if (bias or 0.0) > 0 else "low"
    return (
        f"{name} predicts: totals were {abs(bias or 0.0):.0%} {side} in "
        f"{len(tested.plan.origins)} backtests"
    )


def _missing(gates: Iterable[tuple[str, float, float, bool]]) -> str:
    return ", ".join(
        f"{gate} {actual:,.0f} of {required:,.0f}"
        for gate, required, actual, is_met in gates
        if not is_met
    )


def _answered(prediction: pa.Table) -> int:
    return prediction.num_rows - prediction["expected_orders_365"].null_count


def _untested(settings: ClvSettings) -> Backtest:
    name = PROBABILITY_MODELS[0]
    choice = Choice(name, "no_backtest")
    return Backtest(plan(None, 0), choice, name, name, settings.churn_horizon_days)


def _usable(fitted: Fitted, base: str) -> str | None:
    """The base, or another probability model where its fit has no answer."""
    names = (base, *(name for name in PROBABILITY_MODELS if name != base))
    return next((name for name in names if fitted.orders[name].parameters), None)


def _champion(chosen: str, base: str | None) -> str | None:
    """Nobody where no model speaks; a probability model only if it has parameters today."""
    if base is None:
        return None
    return base if chosen in PROBABILITY_MODELS else chosen


def _contracts(facts: Facts, settings: ClvSettings) -> tuple[Cut, renewals.Contracts] | None:
    cut = facts.cut(facts.as_of, contractual=True)
    if not len(cut):
        return None
    rate = settings.annual_discount_rate
    return cut, renewals.contracts(cut, settings.churn_horizon_days, rate)


def _contract_parts(
    facts: Facts,
    contract: tuple[Cut, renewals.Contracts] | None,
    renewed: renewals.LookBack,
    settings: ClvSettings,
) -> Iterable[_Part]:
    if contract is None:
        return
    cut, found = contract
    value = gamma_gamma.fit_credibility(cut.value_days, cut.z)
    if found.scores is None:
        gone = renewals.has_left(cut, found.period_days)
        yield from _segment_parts(facts, cut, value, settings, gone)
        return
    rate, each = margin_rate(value, cut), value_per_order(value, cut)
    yield _Part(
        cut.k, CONTRACTUAL, found.fit.submodel, found.scores, each, rate and rate[1],
        renewed.calibrated(found.leaves), CONTRACTUAL,
        found.intervals(each, renewed.factor),
    )  # fmt: skip


def _buyer_parts(
    facts: Facts,
    cut: Cut,
    fitted: Fitted,
    tested: Backtest,
    base: str | None,
    champion: str | None,
    settings: ClvSettings,
) -> Iterable[_Part]:
    if not len(cut):
        return
    if base is None or champion is None:
        yield from _segment_parts(facts, cut, fitted.value, settings)
        return
    fit = fitted.orders[base]
    rows = model_scores(fit, cut.statistics, settings.annual_discount_rate)
    each = value_per_order(fitted.value, cut)
    rate = margin_rate(fitted.value, cut)
    scores, each = _of_champion(facts, cut, fitted, champion, base, rows, each, settings)
    spread = intervals(cut, fit, fitted.value, HORIZONS[-1], settings.draws, settings.seed)
    churn = _churn(facts, cut, fitted, tested, base, settings)
    yield _Part(
        cut.k, MODEL, champion, scores, each, rate and rate[1], churn, BY_ORDER,
        spread.widened(tested.factor) if tested.factor else spread,
    )  # fmt: skip


def _of_champion(
    facts: Facts,
    cut: Cut,
    fitted: Fitted,
    champion: str,
    base: str,
    rows: Scores,
    each: Array,
    settings: ClvSettings,
) -> tuple[Scores, Array]:
    """Scores and value of an order of all customers. P(alive) is the base's in any case; what a
    learned model says of its one horizon is spread over the others as the base spreads it."""
    scores = rows.of(cut.row)
    if champion in RULES_OF_THUMB:
        orders, value = rates(champion, cut)
        found = rate_scores(orders, settings.annual_discount_rate)
        found = Scores(
            found.orders, found.discounted, found.p_order, scores.p_alive, found.next_days
        )
        return found, np.divide(value, orders, out=np.zeros(len(cut)), where=orders > 0)
    if champion not in (BOOSTED, BLEND):
        return scores, each
    given = learned(facts, cut, cut.window, settings)
    usual = candidate(base, fitted, cut, cut.window, each)
    if given is None or usual is None:
        return scores, each
    earlier, then = given
    orders, value = learning.boosted(earlier, then.orders, then.value, cut, settings.seed)
    said = blended(usual, orders, value) if champion == BLEND else usual.said_by(orders, value)
    factor = said.orders / np.maximum(usual.orders, 1e-12)
    return scores.grown(factor), np.divide(
        said.value, said.orders, out=np.zeros(len(cut)), where=said.orders > 0
    )


def _churn(
    facts: Facts,
    cut: Cut,
    fitted: Fitted,
    tested: Backtest,
    base: str,
    settings: ClvSettings,
) -> Array:
    """P(no order) as backtests found it to come true, shape (customers,)."""
    days = tested.churn_days
    likely = None
    if tested.churn not in PROBABILITY_MODELS:
        given = learned(facts, cut, days, settings)
        if given is not None:
            earlier, then = given
            ordered = (then.orders > 0).astype(float)
            likely = learning.purchase_probabilities(earlier, ordered, cut, settings.seed).get(
                tested.churn
            )
    if likely is None:
        likely = p_order(fitted.orders[base], cut.statistics, days)[cut.row]
    if tested.curve is not None:
        likely = np.interp(likely, *tested.curve)
    return 1 - likely


def _segment_parts(
    facts: Facts, cut: Cut, value: Fit, settings: ClvSettings, gone: Array | bool = False
) -> Iterable[_Part]:
    """Rates of acquisition channels, where there is too little for a model; none of who is gone."""
    if _says_little(facts, cut):
        return
    _, rate = priors.segment_rates(cut, facts.channel[cut.k], len(facts.channels))
    rate = np.where(gone, 0.0, rate)
    margin = margin_rate(value, cut)
    yield _Part(
        cut.k, SEGMENT, SEGMENT_NAME, rate_scores(rate, settings.annual_discount_rate),
        value_per_order(value, cut), margin and margin[1],
        np.exp(-rate * settings.churn_horizon_days), BY_ORDER,
    )  # fmt: skip


def _says_little(facts: Facts, cut: Cut) -> bool:
    first = facts.first_day
    return len(cut) < _LEAST_BUYERS or first is None or facts.as_of - first < _LEAST_DAYS


def _prospect_parts(
    facts: Facts,
    cut: Cut,
    fitted: Fitted,
    base: str | None,
    settings: ClvSettings,
) -> Iterable[_Part]:
    """Who has no order yet but a day since which it could have come."""
    first = facts.first_orders()
    known = (facts.seen != UNKNOWN_DAY) & (facts.seen <= facts.as_of)
    ordered = first != UNKNOWN_DAY
    k = np.flatnonzero(known & ~ordered)
    waited = np.where(ordered, first, facts.as_of) - facts.seen
    hazards = priors.first_order_hazards(
        waited[known].astype(float), ordered[known].astype(float), facts.channel[known],
        len(facts.channels),
    )  # fmt: skip
    if hazards is None or not len(k) or _says_little(facts, cut) or not fitted.value.parameters:
        return
    if base is not None:
        fit = fitted.orders[base]

        def repeats(times: Array) -> Array:
            return new_orders(fit, times)
    else:
        rate, _ = priors.segment_rates(cut, facts.channel[cut.k], len(facts.channels))

        def repeats(times: Array) -> Array:
            return rate * times

    scores = priors.prospect_scores(
        hazards, facts.channel[k], facts.as_of - facts.seen[k], repeats,
        settings.annual_discount_rate,
    )  # fmt: skip
    margin = margin_rate(fitted.value, cut)
    each = np.full(len(k), gamma_gamma.prior(fitted.value)[0])
    yield _Part(k, CHANNEL, CHANNEL_NAME, scores, each, margin and margin[0])


def _prediction(
    run: Run, facts: Facts, cuts: Iterable[Cut], parts: Iterable[_Part], discount: float
) -> pa.Table:
    """One row per customer, in the order of their ids; `discount` is that of steady orders."""
    size = len(facts.ids)
    numbers = {
        name: np.full(size, np.nan)
        for name, kind in zip(PREDICTION_SCHEMA.names, PREDICTION_SCHEMA.types, strict=True)
        if kind in (pa.float64(), pa.int64(), pa.date32()) and name != "as_of"
    }
    texts = {
        name: np.full(size, None, object)
        for name in ("prediction_basis", "model_name", "churn_rule")
    }
    texts["prediction_basis"][:] = INSUFFICIENT
    # A customer whose history is too short for an answer still has the history.
    for cut in cuts:
        _put_history(numbers, cut)
    for part in parts:
        k, scores = part.k, part.scores
        texts["prediction_basis"][k], texts["model_name"][k] = part.basis, part.model
        for at, days in enumerate(HORIZONS):
            revenue = scores.orders[at] * part.each
            numbers[f"p_order_{days}"][k] = scores.p_order[at]
            numbers[f"expected_orders_{days}"][k] = scores.orders[at]
            numbers[f"expected_revenue_{days}"][k] = revenue
            # Where no cost is known, net sales stand for margin in what is discounted.
            worth = part.each if part.rate is None else part.each * part.rate
            numbers[f"discounted_margin_{days}"][k] = scores.discounted[at] * worth
            if part.rate is not None:
                numbers[f"expected_margin_{days}"][k] = scores.orders[at] * worth
        numbers["p_alive"][k] = scores.p_alive
        numbers["expected_next_order_on"][k] = facts.as_of + np.ceil(scores.next_days)
        if part.churn is not None:
            numbers["churn_probability"][k] = part.churn
            texts["churn_rule"][k] = part.rule
        if part.spread is not None:
            # Net sales were drawn, discounted margin is shown: each customer's own share of them.
            share = np.full(len(k), discount)
            np.divide(
                scores.discounted[-1], scores.orders[-1], out=share, where=scores.orders[-1] > 0
            )
            share *= 1.0 if part.rate is None else part.rate
            ends = np.sort(part.spread.value * share, axis=0)
            for at, name in enumerate(("p05_365", "p50_365", "p95_365")):
                numbers[name][k] = ends[at]
            numbers["orders_p05_365"][k] = part.spread.orders[0]
            numbers["orders_p95_365"][k] = part.spread.orders[-1]
    columns: dict[str, Any] = {
        "model_run_id": pa.array([run.model_run_id] * size, pa.string()),
        "as_of": pa.array([day_of(facts.as_of)] * size, pa.date32()),
        "customer_id": facts.ids,
    }
    columns |= {name: pa.array(column, pa.string()) for name, column in texts.items()}
    for name, column in numbers.items():
        found = pa.array(column, pa.float64(), from_pandas=True)
        kind = PREDICTION_SCHEMA.field(name).type
        if kind == pa.date32():
            found = found.cast(pa.int32())
        columns[name] = found.cast(kind)
    return pa.table([columns[name] for name in PREDICTION_SCHEMA.names], schema=PREDICTION_SCHEMA)


def _put_history(numbers: dict[str, Array], cut: Cut) -> None:
    numbers["frequency"][cut.k] = cut.x
    numbers["recency_age_days"][cut.k] = cut.t_x
    numbers["tenure_days"][cut.k] = cut.T
    numbers["days_since_last_order"][cut.k] = cut.since_last


def _told(
    run: Run,
    facts: Facts,
    cut: Cut,
    fitted: Fitted,
    tested: Backtest,
    base: str | None,
    champion: str | None,
    contract: tuple[Cut, renewals.Contracts] | None,
    margin_mode: str,
    settings: ClvSettings,
) -> Run:
    """The run with what it found out, for whoever reads it."""
    last = int((cut.on - cut.since_last).max()) if len(cut) else None
    told = {
        "identity": "current",
        "margin_mode": margin_mode,
        "value": fitted.value.submodel,
        "base_model": base,
        "churn_model": tested.churn,
        "churn_days": tested.churn_days,
        "horizon_days": tested.plan.horizon if tested.plan.origins else None,
        "origins": [day_of(on).isoformat() for on in tested.plan.origins],
        "champion_rule": tested.choice.rule,
        "champion_bias": tested.choice.bias,
        "interval_factor": tested.factor,
        "period_days": contract[1].period_days if contract else None,
        "statistics_customers": len(cut),
        "priors": bayes.PRIORS if settings.engine == PYMC else None,
    }
    return replace(
        run,
        config={**run.config, **told},
        champion=champion,
        last_order_at=datetime.combine(day_of(last), datetime.min.time())
        if last is not None
        else None,
        statistics_row_count=len(cut.statistics),
    )


def _checks(
    facts: Facts,
    cut: Cut,
    fits: list[Fit],
    tested: Backtest,
    renewed: renewals.LookBack,
    prediction: pa.Table,
    settings: ClvSettings,
    former: Former | None,
) -> list[monitoring.Check]:
    basis = np.array(prediction["prediction_basis"].to_pylist())
    fallback = float(np.isin(basis, (SEGMENT, INSUFFICIENT)).mean()) if len(basis) else 1.0
    checks = [*monitoring.steady(cut, tested.coverage, fallback)]
    for name, miss in (("champion_bias", tested.choice.bias), ("contract_bias", renewed.bias)):
        if miss is not None and np.isfinite(miss):
            beyond = abs(miss) > settings.bias_limit
            status = monitoring.EXCEEDED if beyond else monitoring.OK
            checks.append((name, miss, settings.bias_limit, status))
    if tested.totals is not None:
        low, high = tested.totals
        checks.append(("total_band_low", low, None, monitoring.INFO))
        checks.append(("total_band_high", high, None, monitoring.INFO))
    if former is not None:
        checks += monitoring.since(former, facts, cut, fits)
    return checks


def _named(names: tuple[str, ...], rows: Iterable[tuple]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]
