"""Why two identifiers are one customer or two, and what holds a customer together.

`explain` and `weakest_spots` give plain dicts for scripts; `orchestration.identity.screen` writes
the same content for people. Identifiers are shown as tokens; raw values come from the vault, only
when they were asked for and the key is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.identity.graph import Link, path_between, strongest_tree
from orchestration.identity.reading import Event, Identity, Node, open_identity
from orchestration.identity.spelling import (
    ACCOUNT,
    is_customer_id,
    read_identifier,
    write_identifier,
)
from orchestration.landing.id_arrays import safe_type
from orchestration.landing.id_rules import IdRules, load_id_rules
from orchestration.landing.identifiers import normalise
from orchestration.landing.keys import check_key_id, load_key
from orchestration.landing.rules import TOKEN_PREFIX
from orchestration.landing.tokens import Tokeniser
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.serving.reading import literal, open_files

Answer = dict[str, Any]


def explain(
    paths: DataPaths,
    asked: Sequence[str],
    reveal: bool = False,
    on: date | None = None,
    project_dir: Path = PROJECT_DIR,
) -> Answer:
    """Explain two identifiers (or customer ids) to each other, or the customer of one.

    `on` picks the period of a value that has moved from one person to another; by default the last.
    Raises UserError for what cannot be read or is not there, BlockedError while a run is at work.
    """
    with open_identity(paths) as identity:
        question = _Question(identity, paths, project_dir, reveal, on)
        if len(asked) == 1:
            return question.customer(asked[0])
        return question.pair(*asked)


def weakest_spots(paths: DataPaths, most: int | None, reveal: bool = False) -> Answer:
    """The review queue: `most` rows of identity_review (None: all), the worst first."""
    with open_identity(paths) as identity:
        return _Question(identity, paths, PROJECT_DIR, reveal, None).review(most)


class _Question:
    def __init__(
        self, identity: Identity, paths: DataPaths, project_dir: Path, reveal: bool, on: date | None
    ) -> None:
        self.identity = identity
        self.paths = paths
        self.project_dir = project_dir
        self.reveal = reveal
        self.on = on
        if reveal:
            self.key  # noqa: B018  who has no key learns so before anything is read

    @cached_property
    def rules(self) -> IdRules:
        return load_id_rules(self.project_dir)

    @cached_property
    def key(self) -> bytes:
        key = load_key(self.paths.root)
        if (self.paths.root / "vault" / "key_id").is_file():
            check_key_id(self.paths.root, key)
        return key

    def pair(self, left: str, right: str) -> Answer:
        """Two identifiers: the path between them, or the evidence that was not enough."""
        lefts, rights = self._find(left, "first "), self._find(right, "second ")
        # A value that moved is several customers' in turn; what they ever shared is the answer.
        a, b = next(
            (
                (a, b)
                for a in lefts
                for b in rights
                if a.component_key == b.component_key is not None
            ),
            (lefts[0], rights[0]),
        )
        if a.key == b.key or a.value_key == b.value_key:
            raise UserError("Both are the same identifier, or one customer; give two of them.")
        answer: Answer = {
            "question": "pair",
            "customers": [a.customer_id, b.customer_id],
            "is_one_customer": a.component_key is not None and a.component_key == b.component_key,
            "weakest": None,
            "path": [],
            "separated_by": [],
            "shared_in_turn": [],
            "rejected": [],
        }
        if answer["is_one_customer"]:
            path = self._path(a, b)
            describe = self._describer([a, b], path)
            answer["path"] = [describe.link(link) for link in _oriented(path, a.key)]
            answer["weakest"] = describe.link(max(path, key=lambda link: link.rank))
        else:
            sides = [self._side(node) for node in (a, b)]
            rejected = self.identity.rejected(*sides)
            stated = self.identity.separations(*sides)
            shared = sorted(set(sides[0]) & set(sides[1]))
            named = [key for row in stated for key in row[:2]]
            describe = self._describer([a, b], rejected, [*shared, *named])
            answer["shared_in_turn"] = [describe.identifier(key) for key in shared]
            answer["rejected"] = [describe.link(link) for link in rejected]
            answer["separated_by"] = [
                {
                    "a": describe.identifier(node_a),
                    "b": describe.identifier(node_b),
                    "source_system": source,
                    "action": action,
                    "stated_at": _iso(moment),
                }
                for node_a, node_b, source, action, moment in stated
            ]
        answer["asked"] = [
            describe.identifier(node.key)
            | {
                "customer_id": node.customer_id,
                "nobody_because": self._nobody(node),
                "periods": self._periods(node),
            }
            for node in (a, b)
        ]
        return answer

    def customer(self, text: str) -> Answer:
        """One customer: identifiers, links with the weakest first, bridges, former ids."""
        became = None
        if is_customer_id(text):
            customer_id = text.strip()
            became = self.identity.became(customer_id)
            if became is not None and became.current_customer_id != customer_id:
                customer_id = became.current_customer_id
            elif self.identity.customer(customer_id) is not None:
                became = None
            elif became is None:
                raise UserError(_no_such_customer("The "))
        else:
            node = self._find(text)[0]
            customer_id = node.customer_id
            if customer_id is None:
                refused = self.identity.refusals(node.key)
                describe = self._describer([node], refused)
                return {
                    "question": "nobody",
                    "asked": describe.identifier(node.key) | {"nobody_because": self._nobody(node)},
                    "rejected": [describe.link(link) for link in refused],
                }
        row = self.identity.customer(customer_id) if customer_id else None
        nodes = self.identity.nodes("m.customer_id = ?", customer_id) if row else []
        links = self.identity.links(row["component_key"]) if row else []
        past = self.identity.past(customer_id) if row else []
        causes = {
            key
            for event in (*past, *([became] if became else []))
            for key in (event.node_a, event.node_b)
            if key is not None
        }
        describe = self._describer(nodes, links, causes)
        return {
            "question": "customer",
            "customer_id": customer_id if row else None,
            "became": describe.event(became) if became else None,
            "is_anonymous": row["is_anonymous"] if row else None,
            "account_count": row["account_count"] if row else 0,
            "identifier_count": row["identifier_count"] if row else 0,
            "first_seen_at": _iso(row["first_seen_at"]) if row else None,
            "last_seen_at": _iso(row["last_seen_at"]) if row else None,
            "history": [describe.event(e) for e in past if e.customer_id == customer_id],
            "former_ids": [describe.event(e) for e in past if e.customer_id != customer_id],
            "identifiers": [describe.node(node) for node in nodes],
            "links": [describe.link(link) for link in reversed(links)],
            "bridges": self._bridges(customer_id, None) if row else [],
        }

    def review(self, most: int | None) -> Answer:
        """The worst bridges of all customers."""
        return {"question": "review", "bridges": self._bridges(None, most)}

    def _bridges(self, customer_id: str | None, most: int | None) -> list[Answer]:
        rows = self.identity.bridges(customer_id, most)
        ends = [(r[f"{o}id_type"], r[f"{o}id_scope"], r[f"{o}id_value"]) for r in rows
                for o in ("", "other_") if r[f"{o}id_type"] is not None]  # fmt: skip
        nodes = self.identity.nodes(
            "list_contains(?::varchar[], concat_ws('|', i.id_type, i.id_scope, i.id_value))",
            ["|".join(end) for end in ends],
        )
        describe = self._describer(nodes)
        by_name = {(n.id_type, n.id_scope, n.id_value): describe.identifier(n.key) for n in nodes}
        shown = []
        for row in rows:
            bridge = {name: _iso(value) for name, value in row.items() if "id_" not in name}
            bridge["customer_id"] = row["customer_id"]
            for name, prefix in (("identifier", ""), ("other", "other_")):
                end = tuple(row[f"{prefix}id_{part}"] for part in ("type", "scope", "value"))
                bridge[name] = by_name[end] if end[0] is not None else None
            shown.append(bridge)
        return shown

    def _find(self, text: str, which: str = "") -> list[Node]:
        """The node that a spelling names, in each of its periods, the last first (with `on`: the
        one of that day); for a customer id, a node of the customer."""
        if is_customer_id(text):
            became = self.identity.became(text.strip())
            current = became.current_customer_id if became else text.strip()
            row = self.identity.customer(current) if current else None
            if row is None:
                raise UserError(_no_such_customer(f"The {which}"))
            return self.identity.nodes("m.customer_id = ?", current)[:1]
        spelled = read_identifier(text)
        known = {ACCOUNT, *self.rules.normalisers}
        if spelled.id_type not in known:
            raise UserError(
                f"There is no identifier type called {safe_type(spelled.id_type)}; use one of "
                f"{', '.join(sorted(known))}."
            )
        scopes = self.identity.scopes(spelled.id_type)
        scope, value = spelled.parts(scopes)
        wanted = scopes if scope is None else [scope]
        begins = False
        if spelled.id_type == ACCOUNT:
            values = [(s, value.strip()) for s in wanted]
        elif value.startswith(TOKEN_PREFIX):
            begins = True
            values = [(s, value.removeprefix(TOKEN_PREFIX).strip().lower()) for s in wanted]
        else:
            values = self._tokens(spelled.id_type, value, wanted)
        match = "starts_with(i.id_value, ?)" if begins else "i.id_value = ?"
        found = [
            node
            for s, v in values
            for node in self.identity.nodes(
                f"i.id_type = ? and i.id_scope = ? and {match}", spelled.id_type, s, v
            )
        ]
        return self._only(found, which, spelled.id_type, scope, scopes)

    def _tokens(self, id_type: str, value: str, scopes: Sequence[str]) -> list[tuple[str, str]]:
        normal = normalise(self.rules.normalisers[id_type], value, self.rules)
        tokeniser = Tokeniser(self.key)
        return [(s, tokeniser.token(id_type, s, normal.value)) for s in scopes] if normal else []

    def _only(
        self, found: list[Node], which: str, id_type: str, scope: str | None, scopes: list[str]
    ) -> list[Node]:
        """Those of one value among the nodes that a spelling fits, or a sentence."""
        named = {(node.id_scope, node.id_value) for node in found}
        if not named:
            where = f" with scope {scope}" if scope else ""
            raise UserError(
                f"The {which}identifier (type {id_type}{where}) is on no record of the "
                f"warehouse; check the value{_choices(scopes)}."
            )
        if len(named) > 1:
            in_scopes = sorted({node.id_scope for node in found})
            if len(in_scopes) > 1:
                raise UserError(
                    f"The {which}identifier is found in {len(in_scopes)} scopes of {id_type}; "
                    f"write {id_type}@scope:value with one of {', '.join(in_scopes)}."
                )
            raise UserError(
                f"The token of the {which}identifier begins {len(named)} tokens of {id_type}; "
                "give more of it."
            )
        if self.on is None:
            return sorted(found, key=lambda node: node.valid_from or _EVER, reverse=True)
        # The whole day belongs to the period that holds at its end.
        moment = datetime.combine(self.on + timedelta(days=1), time()) - timedelta(microseconds=1)
        for node in found:
            if (node.valid_from or _EVER) <= moment < (node.valid_to or datetime.max):
                return [node]
        raise UserError(f"The {which}identifier stood for nobody on {self.on}.")

    def _path(self, a: Node, b: Node) -> list[Link]:
        path = path_between(strongest_tree(self.identity.links(a.component_key)), a.key, b.key)
        if path is None:
            raise UserError(
                "The evidence in the warehouse does not connect the two, so its last build did "
                "not end; run `perennial run` again."
            )
        return path

    def _side(self, node: Node) -> list[int]:
        """All nodes of the customer, or the node alone where it is nobody's."""
        if node.component_key is None:
            return [node.key]
        return [n.key for n in self.identity.nodes("m.component_key = ?", node.component_key)]

    def _periods(self, node: Node) -> list[Answer]:
        """Whose the value was in turn, [] for one that never moved."""
        nodes = self.identity.nodes("i.value_key = ?", node.value_key)
        periods = [
            {
                "customer_id": turn.customer_id,
                "valid_from": _iso(turn.valid_from),
                "valid_to": _iso(turn.valid_to),
            }
            for turn in sorted(nodes, key=lambda turn: turn.valid_from or _EVER)
        ]
        return periods if len(periods) > 1 else []

    def _nobody(self, node: Node) -> str | None:
        """Why a node belongs to no customer."""
        if node.component_key is not None:
            return None
        reasons = {
            item.reason for link in self.identity.refusals(node.key) for item in link.evidence
        }
        return node.blocked_reason or ", ".join(sorted(filter(None, reasons))) or "no evidence"

    def _describer(
        self, nodes: Iterable[Node], links: Iterable[Link] = (), keys: Iterable[int] = ()
    ) -> _Describer:
        known = {node.key: node for node in nodes}
        needed = {key for link in links for key in (link.node_a, link.node_b)} | set(keys)
        missing = sorted(needed - known.keys())
        if missing:
            more = self.identity.nodes("list_contains(?::bigint[], i.node_key)", missing)
            known |= {node.key: node for node in more}
        listed = list(known.values())
        raw = _raw_values(self.paths, listed) if self.reveal else None
        return _Describer(known, self.identity.shortest(listed), raw)


class _Describer:
    """Turns nodes, links and events into plain dicts."""

    def __init__(
        self, nodes: dict[int, Node], short: dict[int, str], raw: dict[str, str] | None
    ) -> None:
        self._nodes = nodes
        self._short = short
        self._raw = raw

    def identifier(self, key: int) -> Answer:
        node = self._nodes.get(key)
        if node is None:
            return {"identifier": "an identifier that is gone"}
        answer = {
            "identifier": write_identifier(node.id_type, node.id_scope, self._short[key]),
            "id_type": node.id_type,
            "id_scope": node.id_scope,
            "id_value": node.id_value,
        }
        if self._raw is not None:
            answer["raw"] = node.id_value if node.is_account else self._raw.get(node.id_value)
        return answer

    def node(self, node: Node) -> Answer:
        return self.identifier(node.key) | {
            "membership": node.membership,
            "first_seen_at": _iso(node.first_seen_at),
            "last_seen_at": _iso(node.last_seen_at),
            "record_count": node.record_count,
            "valid_from": _iso(node.valid_from),
            "valid_to": _iso(node.valid_to),
        }

    def link(self, link: Link) -> Answer:
        return {
            "a": self.identifier(link.node_a),
            "b": self.identifier(link.node_b),
            "record_count": link.record_count,
            "evidence": [
                {
                    "source_system": item.source_system,
                    "rule": item.rule,
                    "first_seen_at": _iso(item.first_seen_at),
                    "last_seen_at": _iso(item.last_seen_at),
                    "record_count": item.record_count,
                    "reason": item.reason,
                }
                for item in link.evidence
            ],
        }

    def event(self, event: Event) -> Answer:
        has_cause = event.node_a is not None and event.node_b is not None
        return {
            "customer_id": event.customer_id,
            "current_customer_id": event.current_customer_id,
            "event": event.event,
            "at": _iso(event.valid_from),
            "a": self.identifier(event.node_a) if has_cause else None,
            "b": self.identifier(event.node_b) if has_cause else None,
            "rule": event.rule,
            "source_system": event.source_system,
        }


_EVER = datetime(1900, 1, 1)


def _oriented(path: Sequence[Link], start: int) -> list[Link]:
    """The links of a path, each from the end that is reached first."""
    turned = []
    for link in path:
        if link.node_a != start:
            link = Link(link.node_b, link.node_a, link.priority, link.evidence)
        start = link.node_b
        turned.append(link)
    return turned


def _raw_values(paths: DataPaths, nodes: Iterable[Node]) -> dict[str, str]:
    """Token -> raw value, the first in order where files spell it differently."""
    folder = paths.root / "vault" / "tokens"
    if not any(folder.rglob("*.parquet")):
        return {}
    tokens = [node.id_value for node in nodes if not node.is_account]
    with open_files(folder) as connection:
        rows = connection.execute(
            f"select token, min(raw_value) from read_parquet({literal(folder / '**/*.parquet')}) "
            "where list_contains(?::varchar[], token) group by token",
            [tokens],
        ).fetchall()
    return dict(rows)


def _no_such_customer(which: str) -> str:
    return (
        f"{which}customer id is neither in use nor in the id history; copy it from a mart, or "
        "give an identifier."
    )


def _choices(scopes: Sequence[str]) -> str:
    named = [scope for scope in scopes if scope]
    return f" and its scope ({', '.join(named)})" if named else ""


def _iso(value: Any) -> Any:
    return value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else value
