"""Which predictions the published version holds, how old they are, and whether to trust them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.clv.schemas import FAILED
from orchestration.serving.panel import Published, rows_if_there

RUNS, PREDICTION, READINESS = "clv_model_run", "clv_prediction", "clv_model_readiness"
NONE_YET = "No prediction has been made yet: the models are fitted by `perennial run`."
RULE_OF_THUMB = "mean_rate"
# In the order in which a tie is decided: the simplest first.
MODELS = {
    RULE_OF_THUMB: "Own rate so far",
    "last_window": "Last period again",
    "mbg_nbd": "MBG/NBD",
    "pareto_nbd": "Pareto/NBD",
    "gradient_boosting": "Gradient boosting",
    "blend": "Blend of two models",
}
OF_VALUE = {"gamma_gamma": "Gamma-Gamma", "shifted_beta_geometric": "Renewals"}


@dataclass(frozen=True)
class Predictions:
    """The run that speaks on `as_of`: the day `made_on` of its facts, how many people it knows
    (`people`), has a value for (`valued`) and has one for by a model of their own orders
    (`by_model`); `champion` is the model of renewals where there are only those, None where no
    model speaks. `fits` are (model, status) of those that gave no full answer, `gates` the unmet
    ones as text."""

    as_of: date
    made_on: date
    run_id: str
    people: int
    valued: int
    by_model: int
    champion: str | None
    config: Mapping[str, Any]
    fits: Sequence[tuple[str, str]]
    gates: Sequence[str]
    failed_on: date | None = None

    @property
    def is_margin(self) -> bool:
        return self.config.get("margin_mode") != "revenue"

    @property
    def flag(self) -> str:
        """What a reader must know before the figures; nothing where all is well."""
        told = []
        late = (self.as_of - self.made_on).days
        if self.failed_on and self.failed_on >= self.made_on:
            told.append(f"The models failed on the facts of {self.failed_on}.")
        if late:
            told.append(
                f"Out of date: these predictions are of {self.made_on}, {_days(late)} before "
                f"{self.as_of}. No later run has given any, so the last ones are shown."
            )
        if not self.by_model:
            why = "; ".join(self.gates) or "no fit gave an answer"
            told.append(
                f"Not enough to go by on {self.made_on} for a model of single customers: {why}. "
                "Whoever has a value has the mean of people like them."
                if self.valued
                else f"Not enough to go by on {self.made_on}: {why}."
            )
        if self.fits:
            told.append(
                "Fits without a full answer: "
                + "; ".join(f"{model_name(name)}: {words(status)}" for name, status in self.fits)
                + "."
            )
        return " ".join(told)


def read(published: Published) -> Predictions | None:
    """What is known of the current predictions; None where there are none."""
    found = rows_if_there(
        published,
        [PREDICTION, RUNS],
        f"""
        select
            max(predicted_on) as made_on, max(model_run_id) as run, count(*) as people,
            count(predicted_value_365d) as valued,
            count(*) filter (where prediction_basis in ('model', 'contractual')) as by_model,
            max(model_name) filter (where prediction_basis = 'contractual') as renewals
        from {PREDICTION} having count(*) > 0
        """,
    )
    if not found:
        return None
    one = found[0]
    fits = published.rows(
        f"""
        select submodel, status, is_champion, config from {RUNS}
        where model_run_id = ? order by submodel
        """,
        one["run"],
    )
    champion = next((fit["submodel"] for fit in fits if fit["is_champion"]), None)
    unmet = rows_if_there(
        published,
        [READINESS],
        f"""
        select gate, required_value as required, actual_value as actual from {READINESS}
        where model_run_id = ? and not is_met order by gate
        """,
        one["run"],
    )
    failed = published.rows(f"select max(as_of) as day from {RUNS} where status = ?", FAILED)[0]
    return Predictions(
        date.fromisoformat(str(published.version["as_of"])),
        date.fromisoformat(one["made_on"]),
        one["run"],
        one["people"],
        one["valued"],
        one["by_model"],
        champion or one["renewals"],
        json.loads(fits[0]["config"] or "{}") if fits else {},
        [
            (fit["submodel"], fit["status"])
            for fit in fits
            if fit["status"] != "ok" and (fit["is_champion"] or champion is None)
        ],
        [
            f"{gate['actual']:,} of the required {gate['required']:,} {words(gate['gate'])}"
            for gate in unmet
        ],
        date.fromisoformat(failed["day"]) if failed["day"] else None,
    )


def find(
    connection: duckdb.DuckDBPyConnection, relation: str, as_of: date
) -> tuple[str, str | None]:
    """What predictions there are, and what is wrong with their age (None: nothing), for the status
    screen and the warnings of a run. `relation` holds the mart `clv_model_run` as of `as_of`."""
    day, run, champion = connection.execute(
        f"""
        select max(as_of), max(model_run_id), max(submodel) filter (where is_champion)
        from {relation} where is_current
        """
    ).fetchone()
    failed = connection.execute(
        f"select max(as_of) from {relation} where status = ?", [FAILED]
    ).fetchone()[0]
    if day is None:
        return "nothing yet", f"the models failed on {failed}" if failed else None
    found = f"as of {day} by run {run}, champion {champion or 'none'}"
    flaws = []
    if day < as_of:
        flaws.append(f"{(as_of - day).days} days older than the version")
    if failed and failed >= day:
        flaws.append(f"the models failed on the facts of {failed}")
    return found, ", ".join(flaws) or None


def model_name(name: str | None) -> str:
    """A model as people call it."""
    return MODELS.get(name or "") or OF_VALUE.get(name or "") or words(name or "none")


def words(code: str) -> str:
    return code.replace("_", " ")


def _days(number: int) -> str:
    return f"{number:,} day{'s' if number != 1 else ''}"
