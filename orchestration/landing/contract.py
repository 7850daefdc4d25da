"""The header contract: what each channel's sources.yml declares about its files.

One reading of YAML into frozen dataclasses; all that landing does to a file follows from them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import UserError
from orchestration.landing.id_rules import IdRules
from orchestration.landing.project_files import project_vars

# Raise this when landing changes what it writes, so that files which are still there land again.
LANDING_VERSION = 1

ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
}
PII_LEVELS = ("none", "quasi", "direct")
IDENTIFIER_KEYS = {"type", "scope", "type_column", "scope_column", "keep"}
OUTPUT_COLUMNS = ("ids", "_warnings", "_file_sha", "_line")
# The safe loader in C, where there is one: many times as fast on the larger declarations.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Identifier:
    """How a column holds an identifier: its type and scope, as a literal or as another column."""

    type: str | None = None
    scope: str = ""
    type_column: str | None = None
    scope_column: str | None = None
    keep: bool = False


@dataclass(frozen=True)
class Column:
    """One declared column; `required` means that the file must have it."""

    name: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    pii: str = "none"
    identifier: Identifier | None = None
    is_ids: bool = False

    @property
    def is_pii_token(self) -> bool:
        """True for direct personal data that is no identifier: its value is replaced by a token."""
        return self.pii == "direct" and self.identifier is None


@dataclass(frozen=True)
class Table:
    """One declared table of a channel."""

    channel: str
    name: str
    columns: tuple[Column, ...]
    encoding: str
    delimiter: str
    lookup_key: tuple[str, ...]
    declared_in: str

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Lower-case name or alias -> canonical column name."""
        names = {}
        for column in self.columns:
            for name in (column.name, *column.aliases):
                names[name.lower()] = column.name
        return names

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Canonical names of the columns without which a file is refused."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns that name a record for people: in quarantine (as a token) and in the vault."""
        if any(column.name == "source_record_id" for column in self.columns):
            return ("source_record_id",)
        if self.lookup_key:
            return self.lookup_key
        return self.required[:1] or (self.columns[0].name,)

    @property
    def output_columns(self) -> list[str]:
        """Names of the landed columns, in order; `ids` stands once, after the declared ones."""
        declared = [column.name for column in self.columns if column.name != "ids"]
        return [*declared, *OUTPUT_COLUMNS]


@dataclass(frozen=True)
class Sources:
    """Every declared channel and table."""

    channels: Mapping[str, Mapping[str, Table]]


def load_sources(project_dir: Path) -> Sources:
    """Read models/staging/*/_*__sources.yml: each folder is a channel.

    Raises UserError naming the file for YAML that cannot be read or declares something impossible.
    """
    channels: dict[str, dict[str, Table]] = {}
    for path in sorted(project_dir.glob("models/staging/*/_*__sources.yml")):
        where = str(path.relative_to(project_dir))
        for source in _sources_in(path):
            tables = source.get("tables") or []
            channel = _require_name(source.get("name"), "source", where)
            if channel == "rules":
                raise UserError(f"{where}: a channel cannot be called rules; rename it.")
            found = [_table(channel, declared, where) for declared in tables]
            channels.setdefault(channel, {}).update({table.name: table for table in found})
    if not channels:
        raise UserError(
            f"No channel is declared under {project_dir}/models/staging; "
            "run from the checkout of the project."
        )
    return Sources(channels)


def enabled_channels(
    project_dir: Path, vars_override: Mapping[str, Any] | None = None
) -> list[str]:
    """Return the channels of the var `channels`, from `vars_override` or else dbt_project.yml.

    Raises UserError for a channel that has no sources.yml.
    """
    given = (vars_override or {}).get("channels", project_vars(project_dir).get("channels"))
    if not isinstance(given, Mapping) or not given:
        raise UserError(
            "The var channels must list each channel with the entities it feeds, "
            "for example `pos: [order_header, order_line]`."
        )
    declared = load_sources(project_dir).channels
    for channel in given:
        check_channel(channel, declared)
    return sorted(given)


def check_channel(channel: str, declared: Mapping[str, Any]) -> None:
    """Raise UserError when a channel is not among the declared ones."""
    if channel not in declared:
        raise UserError(
            f"Unknown channel '{channel}'; declared are {', '.join(sorted(declared))}. "
            "A new one needs models/staging/<channel>/_<channel>__sources.yml."
        )


def contract_id(table: Table, rules: IdRules) -> str:
    """Return 16 hex digits that change when the same file would land differently."""
    types = {c.identifier.type for c in table.columns if c.identifier}
    dynamic = any(c.is_ids or (c.identifier and c.identifier.type_column) for c in table.columns)
    used = {t: n for t, n in sorted(rules.normalisers.items()) if dynamic or t in types}
    kinds = set(used.values())
    junk = sorted(rules.placeholder_words) if used else []
    junk += sorted((key, sorted(of.items())) for key, of in rules.shapes.items() if key[0] in kinds)
    meaning = repr(
        (
            LANDING_VERSION,
            table.columns,
            table.encoding,
            table.delimiter,
            table.lookup_key,
            used,
            junk,
            rules.fold_gmail,
        )
    )
    return hashlib.sha256(meaning.encode()).hexdigest()[:16]


def _sources_in(path: Path) -> list[dict[str, Any]]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML ({type(error).__name__}).") from None
    return document.get("sources") or []


def _meta(declared: Mapping[str, Any]) -> dict[str, Any]:
    config = declared.get("config") or {}
    return {**(declared.get("meta") or {}), **(config.get("meta") or {})}


def _require_name(name: Any, what: str, where: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(
            f"{where}: the {what} name {name!r} is not usable; use letters, digits and underscores."
        )
    return name


def _table(channel: str, declared: Mapping[str, Any], where: str) -> Table:
    name = _require_name(declared.get("name"), "table", where)
    here = f"{where}: {name}"
    meta = _meta(declared)
    encoding = ENCODINGS.get(str(meta.get("encoding", "utf-8")).lower())
    if encoding is None:
        raise UserError(
            f"{here}: encoding {meta['encoding']!r} is unknown; "
            "use utf-8, gb18030, utf-16 or latin-1."
        )
    delimiter = {"tab": "\t", "\\t": "\t"}.get(str(meta.get("delimiter", ",")))
    delimiter = delimiter or str(meta.get("delimiter", ","))
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise UserError(f"{here}: the delimiter must be one ASCII character, not {delimiter!r}.")
    columns = tuple(_column(column, here) for column in declared.get("columns") or [])
    if not columns:
        raise UserError(f"{here} declares no columns; list those that its files have.")
    _check_names(columns, here)
    lookup_key = meta.get("lookup_key") or []
    lookup_key = (lookup_key,) if isinstance(lookup_key, str) else tuple(lookup_key)
    return Table(
        channel=channel,
        name=name,
        columns=columns,
        encoding=encoding,
        delimiter=delimiter,
        lookup_key=tuple(key for key in lookup_key if key in {c.name for c in columns}),
        declared_in=where,
    )


def _column(declared: Mapping[str, Any], here: str) -> Column:
    name = _require_name(declared.get("name"), "column", here)
    meta = _meta(declared)
    aliases = meta.get("aliases") or []
    pii = str(meta.get("pii", "none")).lower()
    if pii not in PII_LEVELS:
        raise UserError(f"{here}.{name}: pii must be none, quasi or direct, not {pii!r}.")
    identifier = meta.get("identifier")
    if identifier is not None:
        unknown = set(identifier) - IDENTIFIER_KEYS
        if unknown or ("type" in identifier) == ("type_column" in identifier):
            raise UserError(
                f"{here}.{name}: identifier needs either type or type_column, and may have scope "
                "or scope_column and keep; nothing else."
            )
        identifier = Identifier(
            type=str(identifier["type"]).lower() if "type" in identifier else None,
            scope=str(identifier.get("scope") or ""),
            type_column=identifier.get("type_column"),
            scope_column=identifier.get("scope_column"),
            keep=bool(identifier.get("keep", False)),
        )
        if identifier.keep and (pii == "direct" or identifier.type in ("phone", "email")):
            raise UserError(
                f"{here}.{name}: keep would leave personal data in the rows; remove it."
            )
    return Column(
        name=name,
        aliases=tuple(str(a) for a in ([aliases] if isinstance(aliases, str) else aliases)),
        required=meta.get("required") in ("column", "value"),
        pii=pii,
        identifier=identifier,
        is_ids=bool(meta.get("ids", False)),
    )


def _check_names(columns: tuple[Column, ...], here: str) -> None:
    """Refuse two columns of one name, reserved names, and references to columns not there."""
    seen: dict[str, str] = {}
    canonical = {column.name for column in columns}
    for column in columns:
        if column.name.lower() in OUTPUT_COLUMNS[1:] or (
            column.name == "ids" and not column.is_ids
        ):
            raise UserError(f"{here}.{column.name}: landing writes this column itself; rename it.")
        for name in {column.name.lower(), *(alias.lower() for alias in column.aliases)}:
            if name in seen:
                raise UserError(
                    f"{here}: {seen[name]} and {column.name} both answer to the name {name}; "
                    "give it to one of them."
                )
            seen[name] = column.name
        identifier = column.identifier
        for reference in (identifier.type_column, identifier.scope_column) if identifier else ():
            if reference and reference not in canonical:
                raise UserError(f"{here}.{column.name}: there is no column {reference}.")
