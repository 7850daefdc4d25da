"""Identifier rules of the seeds, tokenised at each landing: a changed row acts without landing
anything again."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.id_arrays import safe_type
from orchestration.landing.id_rules import IdRules
from orchestration.landing.identifiers import clean, normalise
from orchestration.landing.project_files import SeedRow, either, seed_rows
from orchestration.landing.tokens import TOKEN_LENGTH, Tokeniser
from orchestration.runtime.durable import replacing

BLOCKLIST = ("id_type", "id_scope", "id_value", "reason")
MANUAL_LINK = (
    "action",
    "left_type",
    "left_scope",
    "left_value",
    "right_type",
    "right_scope",
    "right_value",
    "author",
    "reason",
    "valid_from",
    "valid_to",
)
# What the second pass of identity proposes; tokens of accounts are their record ids.
PROBABLE_LINK = pa.schema(
    [
        (f"{side}_{part}", pa.string())
        for side in ("left", "right")
        for part in ("type", "scope", "token")
    ]
    + [("probability", pa.float64()), ("match_weight", pa.float64())]
    + [(name, pa.string()) for name in ("agrees_on", "band", "reason", "model_id")]
)
# A reviewer who has only seen tokens writes one in place of a value.
TOKEN_PREFIX = "token:"
# Later than any day, as text.
NEVER = "~"

# An identifier: type, scope, token.
Node = tuple[str, str, str]


@dataclass(frozen=True)
class Link:
    """A row of manual_link. It holds from `since` until before `until`, days as text."""

    row: SeedRow
    action: str
    left: Node
    right: Node
    since: str
    until: str

    def holds_on(self, day: str) -> bool:
        """True on the days of its validity; the day '' lies before all others."""
        return self.since <= day < self.until


Neighbours = Mapping[Node, Sequence[tuple[Node, Link]]]


def read_rules(project_dir: Path, rules: IdRules, tokeniser: Tokeniser) -> dict[str, pa.Table]:
    """Return the seeds blocklist and manual_link with tokens in place of values.

    Raises UserError naming seed and row for an unknown type, an empty value, a bad token, action or
    day, a link without author or reason, and links that contradict each other.
    """
    blocked = [
        (*_node(row, "id", rules, tokeniser), row["reason"])
        for row in _rows(project_dir, "blocklist", BLOCKLIST)
    ]
    links = [_link(row, rules, tokeniser) for row in _rows(project_dir, "manual_link", MANUAL_LINK)]
    _check_contradictions(links)
    sides = [f"{side}_{part}" for side in ("left", "right") for part in ("type", "scope", "token")]
    texts = ("author", "reason", "valid_from", "valid_to")
    return {
        "blocklist": _table(BLOCKLIST, blocked),
        "manual_link": _table(
            (*sides, "action", *texts),
            [(*k.left, *k.right, k.action, *(k.row[text] for text in texts)) for k in links],
        ),
    }


def write_rules(data_root: Path, landed: Mapping[str, pa.Table]) -> None:
    """Write landed/rules/<seed>/rules.parquet, and no probable links where nobody looked."""
    folder = data_root / "landed" / "rules"
    for name, table in landed.items():
        with replacing(folder / name / "rules.parquet") as temporary:
            pq.write_table(table, temporary)
    probable = folder / "probable_link" / "rules.parquet"
    if not probable.exists():
        with replacing(probable) as temporary:
            pq.write_table(PROBABLE_LINK.empty_table(), temporary)


def _rows(project_dir: Path, seed: str, columns: Sequence[str]) -> list[SeedRow]:
    """The rows of a seed that have any content."""
    return [row for row in seed_rows(project_dir, seed, columns) if any(row.values.values())]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> pa.Table:
    """Rows as a table of text, in which only a scope may be empty and nothing else but NULL."""
    schema = pa.schema([(column, pa.string()) for column in columns])
    named = (dict(zip(columns, row, strict=True)) for row in rows)
    return pa.Table.from_pylist(
        [{c: v if v or c.endswith("_scope") else None for c, v in row.items()} for row in named],
        schema,
    )


def _node(row: SeedRow, side: str, rules: IdRules, tokeniser: Tokeniser) -> Node:
    id_type, scope = row[f"{side}_type"].lower(), clean(row[f"{side}_scope"])
    kind = rules.normalisers.get(id_type)
    if kind is None:
        raise row.wrong(
            f"identifier type '{safe_type(id_type)}' is unknown; use one of seeds/id_type_rule.csv."
        )
    value = row.filled(f"{side}_value")
    if value.lower().startswith(TOKEN_PREFIX):
        token = value[len(TOKEN_PREFIX) :].strip().lower()
        if not re.fullmatch(f"[0-9a-f]{{{TOKEN_LENGTH}}}", token):
            raise row.wrong(f"{side}_value needs {TOKEN_LENGTH} hex digits after 'token:'.")
        return id_type, scope, token
    normal = normalise(kind, value, rules)
    if normal is None:
        raise row.wrong(f"{side}_value is empty; fill it in.")
    return id_type, scope, tokeniser.token(id_type, scope, normal.value)


def _link(row: SeedRow, rules: IdRules, tokeniser: Tokeniser) -> Link:
    action = row["action"].lower()
    if action not in ("must", "cannot"):
        raise row.wrong("action must be must or cannot.")
    left, right = (_node(row, side, rules, tokeniser) for side in ("left", "right"))
    if left == right:
        raise row.wrong("left and right are the same identifier; name two.")
    row.filled("author")
    row.filled("reason")
    since, until = (_day(row, column) for column in ("valid_from", "valid_to"))
    if until and until < since:
        raise row.wrong("valid_to lies before valid_from; the link holds until before valid_to.")
    return Link(row, action, left, right, since, until or NEVER)


def _day(row: SeedRow, column: str) -> str:
    text = row[column]
    try:
        if not text or date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise row.wrong(f"{column} must be a day such as 2026-06-30, or empty.")


def _check_contradictions(links: Sequence[Link]) -> None:
    """Raise UserError for a cannot whose two sides are joined by must rows valid on one day."""
    neighbours: dict[Node, list[tuple[Node, Link]]] = defaultdict(list)
    parents: dict[Node, Node] = {}

    def group(node: Node) -> Node:
        while parents.setdefault(node, node) != node:
            parents[node] = node = parents[parents[node]]
        return node

    for link in links:
        if link.action == "must":
            neighbours[link.left].append((link.right, link))
            neighbours[link.right].append((link.left, link))
            parents[group(link.left)] = group(link.right)
    # Whatever holds together on some day does so on the first day of one of its rows.
    days = sorted({link.since for link in links})
    for link in links:
        # Few sides are joined by must rows of whatever day, and only those are looked at by day.
        if link.action == "must" or group(link.left) != group(link.right):
            continue
        for day in filter(link.holds_on, days):
            chain = _chain(link, neighbours, day)
            if chain:
                rows = either([str(row) for row in chain], "and")
                raise link.row.wrong(
                    f"this cannot contradicts the must of row{'s' * (len(chain) > 1)} {rows}"
                    f"{f' on {day}' if day else ''}; remove or end one of them."
                )


def _chain(cannot: Link, neighbours: Neighbours, day: str) -> list[int]:
    """Numbers of the fewest must rows of a day that lead from left to right, [] when none do."""
    came: dict[Node, tuple[Node, int] | None] = {cannot.left: None}
    waiting = deque([cannot.left])
    while waiting and cannot.right not in came:
        node = waiting.popleft()
        for other, must in neighbours.get(node, ()):
            if other not in came and must.holds_on(day):
                came[other] = (node, must.row.number)
                waiting.append(other)
    rows, step = [], came.get(cannot.right)
    while step:
        rows.append(step[1])
        step = came[step[0]]
    return rows[::-1]
