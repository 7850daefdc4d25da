"""Figures of a benchmark, each with the bound that it should keep."""

from __future__ import annotations

import json
import operator
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from orchestration.bench.child import THREADS
from orchestration.errors import UserError
from orchestration.runtime.settings import project_version

_HOLDS = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}
_PACKAGES = (
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
    "numpy",
    "scipy",
    "pyarrow",
    "splink",
    "lifetimes",
    "pymc-marketing",
)


@dataclass(frozen=True)
class Figure:
    """`bound` is text such as "<= 4"; without one the figure is there to be looked at."""

    name: str
    value: float
    unit: str
    bound: str | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the value keeps the bound; None without one."""
        if self.bound is None:
            return None
        sign, limit = self.bound.split()
        return bool(_HOLDS[sign](self.value, float(limit)))


def _table(figures: Sequence[Figure]) -> str:
    """The figures as lines of a table."""
    words = {True: "yes", False: "NO", None: ""}
    rows = [("figure", "value", "unit", "bound", "holds")]
    rows += [(f.name, _short(f.value), f.unit, f.bound or "", words[f.holds]) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    name, value, *others = widths
    return "\n".join(
        f"{row[0]:<{name}}  {row[1]:>{value}}  "
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(row[2:], others, strict=True))
        for row in rows
    )


def _short(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.1f}"


def check_request(option: str, number: int, fewest: int, most: int, json_file: Path | None) -> None:
    """Refuse a size or a place for the JSON before the benchmark has taken its minutes."""
    if not fewest <= number <= most:
        raise UserError(f"{option} must lie between {fewest:,} and {most:,}, not {number:,}.")
    if json_file:
        _check_writable(json_file)


def show(
    figures: Sequence[Figure], sentences: Sequence[str], json_file: Path | None, out: TextIO
) -> None:
    """Print the table and what else is to be said; write the JSON if there is a place for it."""
    print(f"\n{_table(figures)}\n", file=out)
    for sentence in sentences:
        print(sentence, file=out)
    if json_file:
        _write_json(json_file, figures)
        print(f"Written to {json_file}.", file=out)


def _check_writable(file: Path) -> None:
    if file.is_dir() or not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise UserError(
            f"--json: {file} cannot be written; name a file in a folder that exists and is yours."
        )


def _write_json(file: Path, figures: Sequence[Figure]) -> None:
    """Write the documented shape: machine, versions, figures."""
    found = {
        "machine": _machine(),
        "versions": _versions(),
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "bound": figure.bound,
                "holds": figure.holds,
            }
            for figure in figures
        ],
    }
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _machine() -> dict[str, Any]:
    """What the benchmark ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "threads": THREADS,
        "memory_gib": round(memory / 2**30, 1),
    }


def _versions() -> dict[str, str]:
    """Versions of the project and of what it was compared with."""
    found = {"perennial": project_version(), "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
