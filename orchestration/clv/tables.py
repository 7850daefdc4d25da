"""Fits as tables, the contract between engines that fit and whatever scores.

`clv_model_run` has one row per run and submodel, `clv_model_parameters` one per parameter,
`clv_model_covariance` one per pair of parameters, `clv_quadrature_nodes` the nodes that SQL scores
with. A run is written once and never changed; Parquet keeps the tables as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from orchestration.clv.beta_geometric import BetaGeometric
from orchestration.clv.fitting import Fit, values_of
from orchestration.clv.schemas import (
    COVARIANCE_SCHEMA,
    NODE_SCHEMA,
    PARAMETER_SCHEMA,
    RUN_SCHEMA,
)
from orchestration.clv.scoring import ORDER_MODELS
from orchestration.errors import UserError


@dataclass(frozen=True)
class Run:
    """What the fits of one run have in common.

    `statistics_hash` is of the rows that were fitted, `scope` the business line or market, `config`
    and `versions` whatever the engine wants remembered (its priors, its libraries), JSON-able,
    `answered_at` when the run last became what is said of its day (see `schemas.answer_again`).
    """

    model_run_id: str
    as_of_date: date
    scope: str = "all"
    last_order_at: datetime | None = None
    statistics_row_count: int | None = None
    statistics_hash: str | None = None
    code_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    champion: str | None = None
    fitted_at: datetime | None = None
    answered_at: datetime | None = None


class Tables(NamedTuple):
    """Of the schemas above, in this order."""

    runs: pa.Table
    parameters: pa.Table
    covariance: pa.Table
    nodes: pa.Table


def to_tables(run: Run, fits: Sequence[Fit], counts: ArrayLike = ()) -> Tables:
    """Rows of a run; `counts` are the numbers of repeat orders that SQL will score, 0 included.

    Raises UserError where two fits are of one submodel.
    """
    if len({fit.submodel for fit in fits}) < len(fits):
        raise UserError("A run has one fit of each submodel; give a second scope its own run.")
    common = {
        name: getattr(run, name)
        for name in RUN_SCHEMA.names
        if hasattr(run, name) and name not in ("versions", "config")
    }
    common |= {
        name: json.dumps(dict(getattr(run, name)), sort_keys=True)
        for name in ("versions", "config")
    }
    runs, parameters, covariance = [], [], []
    for fit in fits:
        key = {"model_run_id": run.model_run_id, "submodel": fit.submodel}
        runs.append(
            common
            | key
            | {
                "engine": fit.engine,
                "log_likelihood": fit.log_likelihood,
                "customer_count": fit.n,
                "is_converged": fit.converged,
                "status": fit.status,
                "is_champion": fit.submodel == run.champion,
            }
        )
        names = list(fit.parameters)
        parameters += [
            key | {"position": at, "name": name, "value": value, "log_sd": fit.log_sd[name]}
            for at, (name, value) in enumerate(fit.parameters.items())
        ]
        covariance += [
            key | {"name_a": names[i], "name_b": names[j], "log_covariance": value}
            for i, row in enumerate(fit.covariance)
            for j, value in enumerate(row)
        ]
    nodes = [nodes_table(run.model_run_id, fit, counts) for fit in fits]
    return Tables(
        pa.Table.from_pylist(runs, RUN_SCHEMA),
        pa.Table.from_pylist(parameters, PARAMETER_SCHEMA),
        pa.Table.from_pylist(covariance, COVARIANCE_SCHEMA),
        pa.concat_tables([NODE_SCHEMA.empty_table(), *nodes]),
    )


def nodes_table(model_run_id: str, fit: Fit, counts: ArrayLike) -> pa.Table:
    """Nodes of a BG/NBD or MBG/NBD fit for each distinct count; no rows for any other fit and where
    churn is not identified."""
    model = ORDER_MODELS.get(fit.submodel)
    if not isinstance(model, BetaGeometric) or set(fit.parameters) != set(model.names):
        return NODE_SCHEMA.empty_table()
    x = np.unique(np.asarray(counts, float))
    nodes, weights = model.nodes(values_of(fit.parameters, model.names), x)
    size = nodes.shape[1]
    rows = nodes.size
    return pa.table(
        [
            pa.array([model_run_id] * rows, pa.string()),
            pa.array([fit.submodel] * rows, pa.string()),
            pa.array(np.repeat(x, size).astype(np.int64)),
            pa.array(np.tile(np.arange(size, dtype=np.int32), len(x))),
            pa.array(nodes.ravel()),
            pa.array(weights.ravel()),
        ],
        schema=NODE_SCHEMA,
    )


def from_tables(tables: Tables, model_run_id: str) -> tuple[Run, dict[str, Fit]]:
    """A run and its fits by submodel, equal to what was written.

    Raises UserError where there is no such run.
    """
    rows = _of(tables.runs, model_run_id)
    if not rows:
        raise UserError(f"There is no model run {model_run_id}; fit the models first.")
    first = rows[0]
    run = Run(
        **{
            name: first[name]
            for name in Run.__dataclass_fields__
            if name not in ("versions", "config", "champion")
        },
        versions=json.loads(first["versions"]),
        config=json.loads(first["config"]),
        champion=next((row["submodel"] for row in rows if row["is_champion"]), None),
    )
    parameters = _of(tables.parameters, model_run_id)
    covariance = _of(tables.covariance, model_run_id)
    return run, {row["submodel"]: _fit(row, parameters, covariance) for row in rows}


def _of(table: pa.Table, model_run_id: str) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if row["model_run_id"] == model_run_id]


def _fit(
    row: Mapping[str, Any],
    parameters: Iterable[Mapping[str, Any]],
    covariance: Iterable[Mapping[str, Any]],
) -> Fit:
    own = [line for line in parameters if line["submodel"] == row["submodel"]]
    values = {
        line["name"]: line["value"] for line in sorted(own, key=lambda line: line["position"])
    }
    pairs = {
        (line["name_a"], line["name_b"]): line["log_covariance"]
        for line in covariance
        if line["submodel"] == row["submodel"]
    }
    return Fit(
        row["submodel"],
        row["status"],
        row["customer_count"],
        values,
        tuple(tuple(pairs[a, b] for b in values) for a in values) if pairs else (),
        row["log_likelihood"],
        row["is_converged"],
        row["engine"],
    )
