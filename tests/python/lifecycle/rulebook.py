"""The rulebook macros on rows that a test gives instead of built seeds."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from checkout import PROJECT
from rendered import RefusedError, macros

__all__ = ["RefusedError", "Rows", "rulebook", "shipped"]

Rows = list[dict[str, str | None]]
SEEDS = ("lifecycle_rule", "lifecycle_stage", "lifecycle_sub_stage", "business_profile")


def shipped() -> dict[str, Rows]:
    """Rows of the seeds as they are shipped, empty cells as None."""
    return {name: _read(PROJECT / "seeds" / f"{name}.csv") for name in SEEDS}


def _read(path: Path) -> Rows:
    with path.open(newline="") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def rulebook(
    seeds: Mapping[str, Rows], default_type: str = "ecommerce", graph: dict | None = None
) -> dict:
    """What `lifecycle_rulebook()` makes of the rows; raises RefusedError with its sentence.

    `graph` is what dbt gives every model of a run.
    """
    given = {
        "setting": lambda name: {"default_business_type": default_type}[name],
        "days_between": lambda a, b: f"days_between({a}, {b})",
        "seed_rows": lambda name: seeds.get(name),
        "graph": {} if graph is None else graph,
    }
    return macros(("hooks/settings.sql", "lifecycle/rulebook.sql"), given)["lifecycle_rulebook"]()  # type: ignore[return-value]
