"""Columns that hold a JSON array of identifiers, as the input contract describes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.landing.id_rules import TYPE_NAME, IdRules
from orchestration.landing.identifiers import clean
from orchestration.landing.json_records import Digits, Strange, StrictJson, dump


@dataclass
class IdArray:
    """The usable elements (type, scope, raw value), warnings, and what must go to the vault."""

    elements: list[tuple[str, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    dropped: str | None = None


def safe_type(id_type: str) -> str:
    """An identifier type as it may be shown in a warning: never what could be a value."""
    return id_type if TYPE_NAME.fullmatch(id_type) else "(not a name)"


def parse_ids(text: str, column: str, rules: IdRules, parser: StrictJson) -> IdArray:
    """Read one array. What is not usable is dropped with a warning, never the whole record."""
    try:
        value = parser.parse(text)
    except Strange:
        value = text
    if value is None:
        return IdArray()
    if not isinstance(value, list):
        return IdArray(warnings=[f"{column}: unreadable"], dropped=text)
    result = IdArray()
    dropped: list[object] = []
    for element in value:
        warning = _add(element, column, rules, result)
        if warning:
            result.warnings.append(warning)
            dropped.append(element)
    if dropped:
        try:
            result.dropped = dump(dropped)
        except RecursionError:
            result.dropped = text
    return result


def _add(element: object, column: str, rules: IdRules, result: IdArray) -> str | None:
    """Append a usable element; return the warning for any other."""
    if not isinstance(element, dict):
        return f"{column}: unreadable element"
    members = {name.strip().lower(): member for name, member in element.items()}
    id_type, scope, value = (members.get(n) for n in ("id_type", "id_scope", "id_value"))
    if not isinstance(id_type, str) or not id_type.strip():
        return f"{column}: missing id_type"
    id_type = id_type.strip().lower()
    if id_type not in rules.normalisers:
        return f"{column}: unknown id_type {safe_type(id_type)}"
    if value is None or value == "":
        return f"{column}: missing id_value"
    if not isinstance(value, str | Digits) or not isinstance(scope, str | Digits | None):
        return f"{column}: unreadable element"
    if not clean(value):
        return f"{column}: missing id_value"
    result.elements.append((id_type, clean(scope or ""), str(value)))
    return None
