"""Identifier rules of the seeds, tokenised at each landing: a changed row acts without landing
anything again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import UserError
from orchestration.landing.contract import IdRules, seed_rows
from orchestration.landing.durable import replacing
from orchestration.landing.identifiers import clean, normalise
from orchestration.landing.tokens import Tokeniser

BLOCKLIST = ("id_type", "id_scope", "id_value", "reason")
MANUAL_LINK = (
    "left_token",
    "left_type",
    "left_scope",
    "right_token",
    "right_type",
    "right_scope",
    "action",
    "author",
    "reason",
    "valid_from",
    "valid_to",
)
# A reviewer who has only seen tokens writes one in place of a value.
TOKEN_PREFIX = "token:"


def write_rules(
    data_root: Path, project_dir: Path, rules: IdRules, tokeniser: Tokeniser
) -> tuple[int, int]:
    """Write landed/rules/{blocklist,manual_link}/rules.parquet; return their numbers of rows.

    Raises UserError naming seed and row for an unknown type, an empty value or an unknown action.
    """
    blocked = [
        {
            "id_type": row["id_type"].lower(),
            "id_scope": clean(row["id_scope"]),
            "id_value": _token(row, "id", "blocklist", number, rules, tokeniser),
            "reason": row["reason"],
        }
        for number, row in _rows(project_dir, "blocklist", BLOCKLIST)
    ]
    given = [name.replace("_token", "_value") for name in MANUAL_LINK]
    links = []
    for number, row in _rows(project_dir, "manual_link", given):
        if row["action"].lower() not in ("must", "cannot"):
            raise UserError(
                f"seeds/manual_link.csv row {number}: action must be must or cannot, "
                f"not '{row['action']}'."
            )
        link = {name: row.get(name, "") for name in MANUAL_LINK}
        link["action"] = row["action"].lower()
        for side in ("left", "right"):
            link[f"{side}_token"] = _token(row, side, "manual_link", number, rules, tokeniser)
            link[f"{side}_type"] = row[f"{side}_type"].lower()
            link[f"{side}_scope"] = clean(row[f"{side}_scope"])
        links.append(link)
    _write(data_root, "blocklist", BLOCKLIST, blocked)
    _write(data_root, "manual_link", MANUAL_LINK, links)
    return len(blocked), len(links)


def _rows(project_dir: Path, seed: str, columns: tuple[str, ...] | list[str]):
    """(row number in the file, row) of a seed; rows without any content are left out."""
    rows = seed_rows(project_dir, seed, columns)
    return [(number, row) for number, row in enumerate(rows, 2) if any(row.values())]


def _token(
    row: dict[str, str], side: str, seed: str, number: int, rules: IdRules, tokeniser: Tokeniser
) -> str:
    id_type, value = row[f"{side}_type"].lower(), row[f"{side}_value"]
    kind = rules.normalisers.get(id_type)
    if kind is None:
        raise UserError(
            f"seeds/{seed}.csv row {number}: identifier type '{id_type}' is unknown; "
            "use one of seeds/id_type_rule.csv."
        )
    if value.startswith(TOKEN_PREFIX):
        return value.removeprefix(TOKEN_PREFIX).lower()
    normal = normalise(kind, value, rules)
    if normal is None:
        raise UserError(f"seeds/{seed}.csv row {number}: the {side} value is empty; fill it in.")
    return tokeniser.token(id_type, clean(row[f"{side}_scope"]), normal.value)


def _write(
    data_root: Path, name: str, columns: tuple[str, ...], rows: list[dict[str, str]]
) -> None:
    schema = pa.schema([(column, pa.string()) for column in columns])
    values = [{column: row[column] or None for column in columns} for row in rows]
    for row in values:
        row.update({c: row[c] or "" for c in columns if c.endswith("scope")})
    with replacing(data_root / "landed" / "rules" / name / "rules.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(values, schema), temporary)
