"""Text that enters DuckDB SQL: literals, names and paths, escaped."""

from __future__ import annotations

from pathlib import Path


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def path_to_read(path: Path) -> str:
    """A path as the literal of a reader, which would take some of its characters for wildcards."""
    return literal("".join(f"[{c}]" if c in "*?[" else c for c in str(path)))
