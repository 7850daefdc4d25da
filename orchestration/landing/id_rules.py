"""What the seeds say about identifiers, checked row by row before landing changes anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.errors import UserError
from orchestration.landing.project_files import once, project_vars, seed_rows

NORMALISERS = ("phone", "email", "device", "opaque")
# A value that earns several flags keeps the first of them.
FLAGS = ("placeholder", "role", "masked", "relay", "invalid", "shared")
PARTS = ("value", "beginning", "ending", "containing", "mailbox", "domain")
TYPE_NAME = re.compile("[a-z][a-z0-9_]{0,39}")
# `account` is the type of the node that stands for an account, `pii` the kind of a name.
RESERVED = ("account", "pii")
RULE_COLUMNS = (
    "id_type",
    "scope_of",
    "strength",
    "priority",
    "may_key",
    "normaliser",
    "max_customers_per_value",
    "max_values_per_customer",
    "shared_to_exceed",
    "ttl_days",
    "link_mode",
    "description",
)
RULE_VALUES = {
    "strength": ("strong", "medium", "weak", "none"),
    "may_key": ("true", "false"),
    "normaliser": NORMALISERS,
    "link_mode": ("always", "login", "never"),
}
RULE_LIMITS = (
    "max_customers_per_value",
    "max_values_per_customer",
    "shared_to_exceed",
    "ttl_days",
)
SHAPE_COLUMNS = ("normaliser", "part", "text", "flag", "description")


@dataclass(frozen=True)
class IdRules:
    """What the seeds say about identifiers.

    `normalisers` names the normaliser of each type, `placeholder_words` are words that mean
    "nothing", and `shapes` maps (normaliser, part of the value) to texts with their flags.
    """

    normalisers: Mapping[str, str]
    placeholder_words: frozenset[str]
    shapes: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    fold_gmail: bool = False


def load_id_rules(project_dir: Path, fold_gmail: bool | None = None) -> IdRules:
    """Read the seeds id_type_rule, placeholder_word and blocklist_shape.

    `fold_gmail` None means the var of dbt_project.yml. Raises UserError naming file and row for
    whatever is missing, unknown or there twice.
    """
    if fold_gmail is None:
        fold_gmail = project_vars(project_dir).get("fold_gmail", False)
    if not isinstance(fold_gmail, bool):
        raise UserError(f"Setting fold_gmail must be true or false, not '{fold_gmail}'.")
    words = {row["word"].lower() for row in seed_rows(project_dir, "placeholder_word", ("word",))}
    return IdRules(_normalisers(project_dir), frozenset(words), _shapes(project_dir), fold_gmail)


def _normalisers(project_dir: Path) -> dict[str, str]:
    rows = seed_rows(project_dir, "id_type_rule", RULE_COLUMNS, needed=True)
    for row in rows:
        if not TYPE_NAME.fullmatch(row["id_type"]) or row["id_type"] in RESERVED:
            raise row.wrong(
                "id_type must be a name of at most 40 small letters, digits and underscores, other "
                "than account and pii."
            )
        row.filled("scope_of")
        row.count("priority")
        for column, allowed in RULE_VALUES.items():
            row.one_of(column, allowed)
        for column in RULE_LIMITS:
            if row[column]:
                row.count(column)
    once(rows, "id_type")
    once(rows, "priority")
    return {row["id_type"]: row["normaliser"] for row in rows}


def _shapes(project_dir: Path) -> dict[tuple[str, str], dict[str, str]]:
    shapes: dict[tuple[str, str], dict[str, str]] = {}
    rows = seed_rows(project_dir, "blocklist_shape", SHAPE_COLUMNS, needed=True)
    for row in rows:
        kind, part = row.one_of("normaliser", NORMALISERS), row.one_of("part", PARTS)
        if part in ("mailbox", "domain") and kind != "email":
            raise row.wrong(f"only an email has a {part}.")
        text = unicodedata.normalize("NFKC", row.filled("text")).lower()
        if kind == "phone":
            text = text.removeprefix("+86")
        shapes.setdefault((kind, part), {})[text] = row.one_of("flag", FLAGS)
    once(rows, "normaliser", "part", "text")
    return shapes
