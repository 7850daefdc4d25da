"""Macros of the project, rendered as dbt renders them, with the few names of dbt that a test gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace

from checkout import PROJECT
from jinja2 import Environment

MACRO = re.compile(r"{%-? macro (\w+)\(.*?{%-? endmacro -?%}", re.S)


class RefusedError(Exception):
    """What a build stops with."""


class _ReturnedError(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


def macros(paths: tuple[str, ...], given: Mapping[str, object]) -> dict[str, Callable[..., object]]:
    """Macros of the files, by name, that see each other and the names `given`, which come before theirs.

    A macro that refuses its input raises RefusedError with its sentence.
    """

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
        **given,
    }
    environment = Environment(extensions=["jinja2.ext.do"])
    for path in paths:
        for found in MACRO.finditer((PROJECT / "macros" / path).read_text()):
            if found[1] not in given:
                names[found[1]] = _macro(environment, found[0], names)
    return names  # type: ignore[return-value]


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
