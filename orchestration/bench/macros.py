"""The project's macros, run for real without dbt's start-up and memory.

A benchmark must time the SQL that the models run, so it renders the same files. dbt gives macros a
few functions (`run_query`, `return`, `adapter.dispatch`, ...); this gives them the same ones on a
DuckDB connection.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2

from orchestration.runtime.paths import PROJECT_DIR
from orchestration.runtime.settings import project_settings

FOLDERS = ("macros/clv", "macros/dispatch", "macros/hooks", "macros/identity")
_MATERIALIZATION = re.compile(r"\{%-?\s*materialization\b.*?endmaterialization\s*-?%\}", re.S)
_MACRO = re.compile(r"(\{%-?\s*macro\s+)(\w+)")
_OWN = "project_"


class MacroError(Exception):
    """A macro stopped with a sentence (`exceptions.raise_compiler_error`)."""


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Macros:
    """Macros of the project as Python callables: `macros["contract_graph"]("select ...")`.

    `identifier` is the name of the model that they believe to build: scratch tables carry it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        identifier: str = "bench",
        project_dir: Path = PROJECT_DIR,
    ) -> None:
        self._connection = connection
        environment = jinja2.Environment(
            extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined
        )
        self._names = environment.globals
        settings = project_settings(project_dir)
        self._names.update(
            {
                "adapter": SimpleNamespace(dispatch=self._dispatch),
                "exceptions": SimpleNamespace(raise_compiler_error=_stop),
                "execute": True,
                "log": lambda *_, **__: "",
                "return": _return,
                "run_query": self._run_query,
                "this": SimpleNamespace(identifier=identifier, schema="main"),
                "var": settings.__getitem__,
            }
        )
        # A template sees the names that exist when it is loaded, and macros call each other across
        # files: names first, then what they stand for.
        self._macros: dict[str, Callable[..., Any]] = {}
        files = [
            file for folder in FOLDERS for file in sorted((project_dir / folder).glob("*.sql"))
        ]
        texts = [_MATERIALIZATION.sub("", file.read_text(encoding="utf-8")) for file in files]
        for text in texts:
            for _, name in _MACRO.findall(text):
                self._names[name] = functools.partial(self._call, name)
        for text in texts:
            # Under their own names macros of one file would call each other past `_call`.
            module = environment.from_string(_MACRO.sub(rf"\1{_OWN}\2", text)).module
            self._macros.update(vars(module))

    def __getitem__(self, name: str) -> Callable[..., Any]:
        return self._names[name]

    def _call(self, name: str, *given: Any, **named: Any) -> Any:
        try:
            return str(self._macros[_OWN + name](*given, **named))
        except _Returned as returned:
            return returned.value

    def _dispatch(self, name: str, _: str | None = None) -> Callable[..., Any]:
        return self._names.get(f"duckdb__{name}") or self._names[f"default__{name}"]

    def _run_query(self, sql: str) -> SimpleNamespace:
        rows = self._connection.execute(sql).fetchall()
        return SimpleNamespace(rows=rows)


def _return(value: Any = None) -> None:
    raise _Returned(value)


def _stop(sentence: str) -> None:
    raise MacroError(sentence)
