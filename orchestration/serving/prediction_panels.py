"""What customers are expected to be worth, and how far such predictions were right before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestration.serving import prediction_charts as charts
from orchestration.serving.panel import (
    Chart,
    Figures,
    Panel,
    Published,
    begin,
    rows_if_there,
    share,
)
from orchestration.serving.prediction_charts import ACTUAL, PREDICTED
from orchestration.serving.predictions import (
    MODELS,
    NONE_YET,
    PREDICTION,
    READINESS,
    RULE_OF_THUMB,
    RUNS,
    Predictions,
    model_name,
    read,
    words,
)

METRICS, DECILES, MONITOR = "clv_backtest_metric", "clv_backtest_decile", "clv_monitor"
YEAR = 365
LEAST_SHOWN = 30
LAST_ORIGINS = 2
RUNS_SHOWN = 24
TIERS = {
    "platinum": "Platinum 1%",
    "gold": "Gold 1-5%",
    "silver": "Silver 5-10%",
    "bronze": "Bronze 10-25%",
    "medium": "Medium 25-50%",
    "low": "Low 50-100%",
}
UNTESTED = (
    "There is no backtest yet: it takes enough buyers, and a history that is long enough to be cut "
    "at two earlier days."
)
CHOSEN = {
    "lowest_error": "it had the lowest error of those whose total is off by at most {limit:.0%}",
    "kept": "it is kept from the run before, as no other was better in two tests",
    "smallest_bias": "its total was off least, though by more than the {limit:.0%} allowed",
}
REALISED = "realised_to_predicted_orders"
CHECKS = {
    "psi_frequency": "shift in the number of orders",
    "psi_days_since_last": "shift in the days since the last order",
    "psi_value": "shift in the value of an order",
    "coverage_90": "actual values inside their 90% intervals",
    "share_fallback_basis": "share of customers without a model",
    "champion_bias": "error of the total",
    "contract_bias": "error of the total of renewals",
}


def all_panels(published: Published) -> list[Panel]:
    """The panels about predictions, in order."""
    found = read(published)
    return [
        predicted_value(published, found),
        calibration(published, found),
        champions(published, found),
        realised(published, found),
    ]


def predicted_value(published: Published, found: Predictions | None) -> Panel:
    """The next 365 days by tier, with the band that the backtest leaves."""
    tables = ["clv_segment", PREDICTION, METRICS, RUNS]
    what = "contribution margin" if not found or found.is_margin else "net sales"
    panel = begin(
        "predicted-value",
        "Predicted value of the next 365 days",
        f"Expected {what} of buyers in the 365 days after the day of the prediction, discounted to "
        "that day. Who has a contract is a buyer too, also without an order. Tiers rank all "
        "customers by it: platinum is the best 1%, gold to 5%, silver to 10%, bronze to 25%, "
        "medium to 50%. Fewer than 30 people are not shown alone. The band is the range of actual "
        "over predicted totals of all buyers in the backtest, not a probability; one tier can be "
        "further off, see by tenth of customers.",
        tables,
    )
    if found is None:
        return panel(NONE_YET)
    rows = rows_if_there(
        published,
        ["clv_segment"],
        """
        select segment_type as type, segment_value as tier, customer_count as customers,
            is_suppressed, predicted_value_365d as value, predicted_low_365d as low,
            predicted_high_365d as high
        from clv_segment where segment_type in ('tier', 'all_buyers')
        """,
    )
    everybody = next((row for row in rows if row["type"] == "all_buyers"), None)
    shown = _shown_tiers(rows, everybody)
    if not shown or everybody is None or everybody["value"] is None:
        return panel(
            "No buyer has a predicted value."
            if not found.valued
            else "No group of at least 30 buyers has a predicted value.",
            flag=found.flag,
        )
    band = _band(published, found)
    finding = (
        f"{everybody['customers']:,} buyers are expected to bring "
        f"{published.money(everybody['value'])} in the 365 days after {found.made_on}"
    )
    if band is None:
        finding += f". {UNTESTED} So there is no band."
        note = "Buyers of each tier together; the number is their predicted value."
    else:
        low, high, days, cuts = band
        for row in (everybody, *shown):
            if row["low"] is None:
                row |= {"low": row["value"] * low, "high": row["value"] * high}
        finding += (
            f", or {published.money(everybody['low'])} to {published.money(everybody['high'])} if "
            f"{model_name(found.champion)} errs as in {cuts} tests on the past."
        )
        note = (
            "Orange: what the tier brings if it is off as the total of all buyers was in backtests "
            f"over {days} days, {low:.2f} to {high:.2f} of the prediction. One tier can be further "
            "off."
        )
        if days < YEAR:
            note += " History is too short to test a whole year, so the range may be wider."
    finding += _of_the_best(shown) + _prospects(published)
    worth = [row | {"value": row["value"] / row["customers"]} for row in shown]
    unit = f"{what.capitalize()}, {published.currency}"
    pictures = [
        Chart(
            f"Predicted value by tier, {published.currency}",
            f"Bars by tier with their band. {finding}",
            charts.tiers(shown, unit),
            note,
        ),
        Chart(
            f"Predicted value per buyer, {published.currency}",
            "Bars by tier: predicted value of the average buyer.",
            charts.tiers(
                [{key: row[key] for key in ("name", "value", "customers")} for row in worth],
                unit,
            ),
            "What the average buyer of each tier is expected to bring.",
        ),
    ]
    total = everybody["value"]
    figures = Figures(
        ["Tier", "Buyers", "Predicted value", "Share", "Band from", "to", "Per buyer"],
        [
            [
                row["name"],
                f"{row['customers']:,}",
                published.money(row["value"]),
                share(row["value"] / total if total else None),
                published.money(row["low"]),
                published.money(row["high"]),
                published.money(row["value"] / row["customers"]),
            ]
            for row in shown
        ],
    )
    return panel(finding, pictures, figures, found.flag)


def _shown_tiers(
    rows: Sequence[dict[str, Any]], everybody: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Tiers with a figure, the best first. Those too small to be shown alone are one bar, as the
    total less the others, if together they are enough people."""
    by_tier = {row["tier"]: row for row in rows if row["type"] == "tier"}
    shown = [
        by_tier[tier] | {"name": name}
        for tier, name in TIERS.items()
        if tier in by_tier and by_tier[tier]["value"] is not None
    ]
    hidden = [tier for tier in by_tier if by_tier[tier]["is_suppressed"]]
    if not everybody or everybody["value"] is None or not hidden or "unknown" in hidden:
        return shown
    told = [row for row in by_tier.values() if not row["is_suppressed"]]
    rest = {
        key: everybody[key] - sum(row[key] or 0 for row in told) for key in ("customers", "value")
    }
    if rest["customers"] < LEAST_SHOWN:
        return shown
    ordered = [tier for tier in TIERS if tier in hidden]
    together = {
        "name": " + ".join(ordered).capitalize(),
        "tier": ordered[0],
        "low": None,
        "high": None,
        **rest,
    }
    order = list(TIERS)
    return sorted([*shown, together], key=lambda row: order.index(row["tier"]))


def _band(published: Published, found: Predictions) -> tuple[float, float, int, int] | None:
    """Lowest and highest actual over predicted total of the model in use, over a year if that was
    tested, else over as many days as were; with the days and the number of cuts."""
    rows = rows_if_there(
        published,
        [METRICS],
        f"""
        select horizon_days as days, count(*) as cuts,
            min(cast(actual_value as double) / predicted_value) as low,
            max(cast(actual_value as double) / predicted_value) as high
        from {METRICS}
        where model_run_id = ? and model_name = ? and measure = 'value' and metric = 'bias'
            and predicted_value > 0 and actual_value is not null
        group by horizon_days order by horizon_days <> {YEAR}, horizon_days desc limit 1
        """,
        found.run_id,
        found.champion,
    )
    return (rows[0]["low"], rows[0]["high"], rows[0]["days"], rows[0]["cuts"]) if rows else None


def _of_the_best(shown: Sequence[dict[str, Any]]) -> str:
    total = sum(row["value"] for row in shown)
    best = shown[0]
    if total <= 0 or len(shown) < 2:
        return ""
    people = sum(row["customers"] for row in shown)
    return (
        f" {best['name']}: {best['customers']:,} of {people:,} buyers and "
        f"{share(best['value'] / total)} of their value."
    )


def _prospects(published: Published) -> str:
    rows = rows_if_there(
        published,
        ["customer_clv"],
        """
        select count(*) as people, sum(predicted_value_365d) as value from customer_clv
        where as_of = ? and order_count = 0 and prediction_basis <> 'contractual'
            and predicted_value_365d is not null
        """,
        published.version["as_of"],
    )
    if not rows or rows[0]["people"] < LEAST_SHOWN:
        return ""
    return (
        f" {rows[0]['people']:,} people who have not bought yet add "
        f"{published.money(rows[0]['value'])}, which is not in the bars."
    )


def calibration(published: Published, found: Predictions | None) -> Panel:
    """Tenths of the prediction: what was predicted and what came, at the last cuts."""
    tables = [DECILES, RUNS]
    panel = begin(
        "calibration",
        "Were the predictions right? By tenth of customers",
        "Backtest of the model in use: history is cut at an earlier day, the model sees only what "
        "was known then, and its prediction is compared with what came. Customers are ordered by "
        "predicted value and cut into ten equal groups.",
        tables,
    )
    if found is None:
        return panel(NONE_YET)
    rows = rows_if_there(
        published,
        [DECILES],
        f"""
        select origin_on as cut, horizon_days as days, decile as tenth,
            customer_count as customers, mean_predicted_orders as predicted,
            mean_actual_orders as actual, mean_predicted_value_amount as predicted_value,
            mean_actual_value_amount as actual_value
        from {DECILES} where model_run_id = ? and model_name = ? and customer_count > 0
        order by origin_on desc, horizon_days desc, decile
        """,
        found.run_id,
        found.champion,
    )
    if not rows:
        return panel(UNTESTED, flag=found.flag)
    cuts = list(dict.fromkeys(row["cut"] for row in rows))[:LAST_ORIGINS]
    days = rows[0]["days"]
    rows = [
        row | {"origin": f"From {row['cut']}"}
        for row in rows
        if row["cut"] in cuts and row["days"] == days
    ]
    newest = [row for row in rows if row["cut"] == cuts[0]]
    best, last = newest[0], newest[-1]
    finding = (
        f"{model_name(found.champion)} from {cuts[0]} on, {days} days ahead: a customer of the "
        f"highest tenth was expected to order {best['predicted']:.1f} times and ordered "
        f"{best['actual']:.1f} times; of the lowest, {last['predicted']:.1f} and "
        f"{last['actual']:.1f} times."
    )
    amounts = [
        {"place": row["tenth"], "kind": kind, "amount": row[column]}
        for row in newest
        for kind, column in ((PREDICTED, "predicted_value"), (ACTUAL, "actual_value"))
        if row[column] is not None
    ]
    pictures = [
        Chart(
            f"Orders in {days} days",
            f"Points by tenth of customers near a diagonal. {finding}",
            charts.calibration(rows, [f"From {cut}" for cut in cuts]),
            "A point is a tenth of the customers. On the dashed line the prediction was right; "
            "above it more orders came than predicted, below it fewer.",
        )
    ]
    if amounts:
        pictures.append(
            Chart(
                f"Net sales per customer in {days} days, {published.currency}",
                f"Pairs of bars by tenth, predicted and what came, from {cuts[0]} on.",
                charts.pairs(
                    amounts,
                    "Tenth of customers, 1 the highest",
                    published.currency,
                    money=True,
                ),
                f"From {cuts[0]} on. Falling from left to right means that the model tells good "
                "customers from others; equal bars mean that it knows how good.",
            )
        )
    figures = Figures(
        [
            "From",
            "Tenth",
            "Customers",
            "Orders predicted",
            "Actual",
            "Net sales predicted",
            "Actual",
        ],
        [
            [
                row["cut"],
                str(row["tenth"]),
                f"{row['customers']:,}",
                f"{row['predicted']:.2f}",
                f"{row['actual']:.2f}",
                published.money(row["predicted_value"]),
                published.money(row["actual_value"]),
            ]
            for row in rows
        ],
    )
    return panel(finding, pictures, figures, found.flag)


def champions(published: Published, found: Predictions | None) -> Panel:
    """Which model each run used, its error and its bias, and what else was tried."""
    tables = [RUNS, METRICS, READINESS]
    panel = begin(
        "champion",
        "Which model predicts, and how well",
        "Every run backtests all models and uses the one with the lowest error among those whose "
        "total is not too far off; a model in use is replaced only by one that is better in two "
        "tests. The error is the mean miss of a customer's net sales as a share of that of the "
        f"rule of thumb '{MODELS[RULE_OF_THUMB]}', which extends each customer's pace; the total "
        "is predicted over actual net sales of all; both on the tests that all models have. The "
        "last run of a day counts.",
        tables,
    )
    if found is None:
        return panel(NONE_YET)
    runs = _tested_runs(published)
    tried = sorted(
        (
            one
            for run in runs
            if run["run"] == found.run_id
            for one in run["scores"]
            if one["error"] is not None
        ),
        key=lambda one: one["error"],
    )
    used = next((one for one in tried if one["model"] == found.champion), None)
    if found.champion is None:
        finding = f"In the run of {found.made_on} no model predicts."
    elif found.champion not in MODELS:
        finding = (
            f"{model_name(found.champion)} predicts in the run of {found.made_on}: all customers "
            "have contracts, for which no other model is tried."
        )
    elif used is None:
        finding = f"{model_name(found.champion)} predicts in the run of {found.made_on}. {UNTESTED}"
    else:
        rule = str(found.config.get("champion_rule"))
        why = CHOSEN.get(rule, words(rule)).format(limit=found.config.get("bias_limit") or 0)
        finding = (
            f"{model_name(found.champion)} predicts in the run of {found.made_on}: {why}. In "
            f"{used['tests']} tests its error is {used['error']:.0%} of the rule of thumb's and "
            f"its total {_off(used['bias'])}."
        )
    pictures = []
    if tried:
        pictures.append(
            Chart(
                f"Models tried in the run of {found.made_on}",
                f"Bars by model, the one in use in blue. {finding}",
                charts.candidates(
                    [
                        {
                            "name": model_name(one["model"]),
                            "error": one["error"],
                            "bias": one["bias"],
                            "text": f"{one['error']:.0%} ({_signed(one['bias'])})",
                            "is_used": one["model"] == found.champion,
                        }
                        for one in tried
                    ],
                    f"Error ({MODELS[RULE_OF_THUMB].lower()}: 100%)",
                ),
                "Short is good; the model in use is blue. In brackets: how far its total was off.",
            )
        )
    tested = [run for run in runs if run["error"] is not None and run["bias"] is not None]
    if len(tested) > 1:
        names = list(dict.fromkeys(model_name(run["champion"]) for run in tested))
        limit = found.config.get("bias_limit")
        for measure, title, limits, note in (
            (
                "error",
                "Error of the model used, by run",
                (),
                "Lower is better; the colour tells the model used.",
            ),
            (
                "bias",
                "Predicted over actual total, by run",
                (0.0, *((limit, -limit) if limit else ())),
                "Above 0 the run promised too much. The outer dashed lines are the limit within "
                "which a model is chosen.",
            ),
        ):
            pictures.append(
                Chart(
                    title,
                    f"A point per run: {title.lower()}.",
                    charts.over_runs(
                        [
                            {
                                "run": run["made_on"],
                                "model": model_name(run["champion"]),
                                "rate": run[measure],
                            }
                            for run in tested
                        ],
                        names,
                        title,
                        limits,
                    ),
                    note,
                )
            )
    elif tested:
        finding += " It is the only run with a backtest so far; later ones are drawn beside it."
    figures = Figures(
        ["Run", "Model", "Error", "Total", "Chosen by", "Fits"],
        [
            [
                run["made_on"],
                model_name(run["champion"]) if run["champion"] else "none",
                share(run["error"]),
                _signed(run["bias"]),
                words(str(run["config"].get("champion_rule") or "unknown")),
                run["problems"] or "all ok",
            ]
            for run in reversed(runs)
        ],
        title="The runs as a table",
        is_text=True,
    )
    return panel(finding, pictures, figures, found.flag)


def _runs(published: Published) -> list[dict[str, Any]]:
    """All runs, oldest first: run, made_on, champion, config, problems, and is_last of its day."""
    rows = published.rows(
        f"""
        with runs as (
            select
                model_run_id as run, max(as_of) as made_on,
                max(submodel) filter (where is_champion) as champion, max(config) as config,
                string_agg(submodel || ': ' || replace(status, '_', ' '), '; ' order by submodel)
                    filter (where status <> 'ok') as problems,
                max(is_current) as is_current, max(answered_at) as answered_at
            from {RUNS} group by model_run_id
        )
        select run, made_on, champion, config, problems, row_number() over (
            partition by made_on order by is_current desc, answered_at desc nulls last, run desc
        ) = 1 as is_last
        from runs order by made_on, answered_at, run
        """
    )
    return [row | {"config": json.loads(row["config"] or "{}")} for row in rows]


def _tested_runs(published: Published) -> list[dict[str, Any]]:
    """The last run of each of the last days, with the scores of all candidates, and the champion's
    own error and bias (None where it was not tested)."""
    runs = [run for run in _runs(published) if run["is_last"]][-RUNS_SHOWN:]
    told = rows_if_there(
        published,
        [METRICS],
        f"""
        select model_run_id as run, model_name as model, origin_on as cut,
            max(metric_value) filter (where metric = 'mae') as miss,
            max(actual_value) filter (where metric = 'bias') as actual,
            max(predicted_value) filter (where metric = 'bias') as predicted
        from {METRICS}
        where measure = 'value' and metric in ('mae', 'bias') and list_contains(?, model_run_id)
        group by all order by all
        """,
        [run["run"] for run in runs],
    )
    found = []
    for run in runs:
        scores = _scores([row for row in told if row["run"] == run["run"]])
        own = next((one for one in scores if one["model"] == run["champion"]), {})
        found.append(run | {"scores": scores, "error": own.get("error"), "bias": own.get("bias")})
    return found


def _scores(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each candidate's error relative to the rule of thumb, and bias of its total, on the cuts that
    all candidates have, where there are two, as the choice is made."""
    rows = [row for row in rows if row["model"] in MODELS and row["miss"] is not None]
    names = [name for name in MODELS if sum(row["model"] == name for row in rows) > 1]
    by_cut: dict[str, dict[str, Any]] = {}
    for row in rows:
        by_cut.setdefault(row["cut"], {})[row["model"]] = row
    common = [cut for cut in by_cut.values() if all(name in cut for name in names)]
    scores = []
    for name in names:
        own = common if len(common) > 1 else [cut for cut in by_cut.values() if name in cut]
        ruled = [cut for cut in own if cut.get(RULE_OF_THUMB, {}).get("miss")]
        relative = [cut[name]["miss"] / cut[RULE_OF_THUMB]["miss"] for cut in ruled]
        actual = sum(cut[name]["actual"] or 0 for cut in own)
        predicted = sum(cut[name]["predicted"] or 0 for cut in own)
        scores.append(
            {
                "model": name,
                "error": sum(relative) / len(relative) if relative else None,
                "bias": predicted / actual - 1 if actual > 0 else None,
                "tests": len(own),
            }
        )
    return scores


def realised(published: Published, found: Predictions | None) -> Panel:
    """Totals per cut of the past, and since the run before."""
    tables = [METRICS, MONITOR, RUNS]
    panel = begin(
        "realised",
        "Predicted and realised totals",
        "The model in use in each test of its backtest: total orders and net sales predicted from "
        "what was known at a day (the cut), and what came in the days after it. Periods may "
        "overlap. Since the run before: orders of the same customers over those it expected, from "
        "30 days on.",
        tables,
    )
    if found is None:
        return panel(NONE_YET)
    rows = rows_if_there(
        published,
        [METRICS],
        f"""
        select origin_on as cut, horizon_days as days, measure, predicted_value as predicted,
            actual_value as actual, metric_value as bias
        from {METRICS}
        where model_run_id = ? and model_name = ? and metric = 'bias'
            and measure in ('orders', 'value') and predicted_value is not null
            and actual_value is not null
        order by origin_on, measure
        """,
        found.run_id,
        found.champion,
    )
    checks = rows_if_there(
        published,
        [MONITOR],
        f"""
        select model_run_id as run, as_of as made_on, check_name as name, check_value as value,
            limit_value as bound, status
        from {MONITOR} order by as_of, check_name
        """,
    )
    beyond = [row for row in checks if row["run"] == found.run_id and row["status"] == "exceeded"]
    flag = found.flag
    if beyond:
        told = "; ".join(
            f"{_check(row['name'])} {row['value']:.2f} (limit {row['bound']:.2f})" for row in beyond
        )
        flag = f"{flag} Beyond its limit in the run of {found.made_on}: {told}.".strip()
    if not rows:
        return panel(UNTESTED, flag=flag)
    days = rows[0]["days"]
    sales = [row for row in rows if row["measure"] == "value"]
    finding = f"{len(sales)} tests, {days} days ahead each."
    actual, predicted = (sum(row[key] for row in sales) for key in ("actual", "predicted"))
    if actual > 0:
        biases = [row["predicted"] / row["actual"] - 1 for row in sales if row["actual"] > 0]
        finding = (
            f"In {len(sales)} tests, {days} days ahead, {model_name(found.champion)} predicted net "
            f"sales {_off(predicted / actual - 1)} in all, between {_signed(min(biases))} and "
            f"{_signed(max(biases))} in single ones."
        )
    since = _since_the_run_before(published, checks)
    if since and since[-1]["made_on"] == str(found.made_on):
        finding += (
            f" Since the run of {since[-1]['before']} customers placed {since[-1]['value']:.0%} of "
            "the orders that it expected."
        )
    pictures = [
        Chart(
            title,
            f"Pairs of bars by cut: predicted, and what came. {finding}",
            charts.pairs(
                [
                    {"place": row["cut"], "kind": kind, "amount": row[column]}
                    for row in rows
                    if row["measure"] == measure
                    for kind, column in ((PREDICTED, "predicted"), (ACTUAL, "actual"))
                ],
                None,
                unit,
                money,
            ),
            note,
        )
        for measure, title, unit, money, note in (
            (
                "value",
                f"Net sales in {days} days from each cut, {published.currency}",
                published.currency,
                True,
                "The closer the two bars of a day, the nearer the total was.",
            ),
            (
                "orders",
                f"Orders in {days} days from each cut",
                "Orders",
                False,
                "Where orders were right and net sales were not, the value of an order was off.",
            ),
        )
        if any(row["measure"] == measure for row in rows)
    ]
    if len(since) > 1:
        title = "Orders since the run before, of those it expected"
        pictures.append(
            Chart(
                title,
                f"A point per run: {title.lower()}.",
                charts.over_runs(
                    [
                        {
                            "run": row["made_on"],
                            "model": model_name(row["champion"]),
                            "rate": row["value"],
                        }
                        for row in since
                    ],
                    list(dict.fromkeys(model_name(row["champion"]) for row in since)),
                    title,
                    (1.0,),
                ),
                "At 100% as many orders came as the run before had expected; the colour tells its "
                "model.",
            )
        )
    figures = Figures(
        ["From", "Days", "What", "Predicted", "Actual", "Predicted over actual"],
        [
            [
                row["cut"],
                f"{row['days']:,}",
                "Net sales" if row["measure"] == "value" else "Orders",
                published.money(row["predicted"])
                if row["measure"] == "value"
                else f"{row['predicted']:,.0f}",
                published.money(row["actual"])
                if row["measure"] == "value"
                else f"{row['actual']:,.0f}",
                _signed(row["bias"]),
            ]
            for row in rows
        ],
    )
    return panel(finding, pictures, figures, flag)


def _since_the_run_before(
    published: Published, checks: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Checks of orders against those that an earlier run expected, with its day `before` and its
    `champion`, oldest first."""
    runs = {run["run"]: run for run in _runs(published)}
    found = []
    for row in checks:
        run = runs.get(row["run"])
        former = runs.get(run["config"].get("former_run_id")) if run else None
        if row["name"] == REALISED and row["value"] is not None and former and run["is_last"]:
            found.append(row | {"before": former["made_on"], "champion": former["champion"]})
    return found


def _check(name: str) -> str:
    """What a check watches, in words."""
    if name.startswith("drift_"):
        return f"drift of {words(name.removeprefix('drift_'))}"
    return CHECKS.get(name, words(name))


def _off(bias: float | None) -> str:
    """How far a total was off, in words."""
    if bias is None:
        return "not comparable, as nothing came"
    return f"{abs(bias):.1%} too {'high' if bias > 0 else 'low'}"


def _signed(bias: float | None) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return "unknown" if bias is None else f"{round(bias, 2) + 0.0:+.0%}"
