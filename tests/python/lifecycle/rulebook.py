"""The rulebook macros, rendered as dbt renders them, on rows that a test gives instead of built seeds."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from checkout import PROJECT
from jinja2 import Environment

Rows = list[dict[str, str | None]]
SEEDS = ("lifecycle_rule", "lifecycle_stage", "business_profile")
MACRO = re.compile(r"{%-? macro (\w+)\(.*?{%-? endmacro -?%}", re.S)


class RefusedError(Exception):
    """What a build stops with."""


class _ReturnedError(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


def shipped() -> dict[str, Rows]:
    """Rows of the seeds as they are shipped, empty cells as None."""
    return {name: _read(PROJECT / "seeds" / f"{name}.csv") for name in SEEDS}


def _read(path: Path) -> Rows:
    with path.open(newline="") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def rulebook(seeds: Mapping[str, Rows], default_type: str = "ecommerce") -> dict:
    """What `lifecycle_rulebook()` makes of the rows; raises RefusedError with its sentence."""

    def give(value: object) -> None:
        raise _ReturnedError(value)

    def refuse(sentence: str) -> None:
        raise RefusedError(sentence)

    names: dict[str, object] = {
        "return": give,
        "exceptions": SimpleNamespace(raise_compiler_error=refuse),
        "modules": SimpleNamespace(re=re),
        "flags": SimpleNamespace(WHICH="build"),
        "execute": True,
        "setting": lambda name: {"default_business_type": default_type}[name],
        "days_between": lambda a, b: f"days_between({a}, {b})",
        "seed_rows": lambda name: seeds.get(name),
    }
    environment = Environment(extensions=["jinja2.ext.do"])
    for path in ("hooks/settings.sql", "lifecycle/rulebook.sql"):
        for found in MACRO.finditer((PROJECT / "macros" / path).read_text()):
            if found[1] not in names:
                names[found[1]] = _macro(environment, found[0], names)
    return names["lifecycle_rulebook"]()  # type: ignore[operator]


def _macro(environment: Environment, text: str, names: dict[str, object]) -> Callable[..., object]:
    # Jinja hands out no macro whose name begins with an underscore.
    template = environment.from_string(re.sub(r"macro \w+", "macro called", text, count=1))
    module = cache(lambda: template.make_module(names))

    def call(*arguments: object) -> object:
        try:
            return module().called(*arguments)
        except _ReturnedError as returned:
            return returned.value

    return call
