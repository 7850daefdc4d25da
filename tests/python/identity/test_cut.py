"""The cut in rounds against the plain constrained union: one edge after the other, in the stated order."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from warehouse import Warehouse

GRAPHS = 500
# Limit keys as the models make them (type|scope), with the number of values that a customer may have.
LIMITS = {"crm_id|shop": 1, "crm_id|club": 1, "platform_buyer_id|shop": 2, "pos_card|": 3}


@dataclass
class Node:
    """A node and its value; nodes with the same value_key count once."""

    key: int
    limit_key: str | None
    value_key: int


@dataclass
class Edge:
    a: int
    b: int
    is_must: bool
    priority: int
    record_count: int

    @property
    def place(self) -> tuple:
        """Manual links, then the surest type, then the most records, then the smallest keys."""
        return (not self.is_must, self.priority, -self.record_count, self.a, self.b)


@dataclass
class Graph:
    nodes: list[Node]
    edges: list[Edge]
    apart: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class Answer:
    cluster_of: dict[int, int]
    joined: dict[tuple[int, int], bool]


def pair(a: int, b: int) -> tuple[int, int]:
    return (min(a, b), max(a, b))


def constrained_union(graph: Graph, must_only: bool = False) -> Answer:
    """The definition: union in order unless a limit would be exceeded by it or a pair joined that must stay apart."""
    cluster_of = {node.key: node.key for node in graph.nodes}
    members = {node.key: {node.key} for node in graph.nodes}
    values: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for node in graph.nodes:
        if node.limit_key:
            values[node.key][node.limit_key].add(node.value_key)
    joined = {}
    for edge in sorted(graph.edges, key=lambda e: e.place):
        if must_only and not edge.is_must:
            continue
        a, b = sorted((cluster_of[edge.a], cluster_of[edge.b]))
        if a != b and not edge.is_must and _is_refused(graph, members, values, a, b):
            joined[edge.a, edge.b] = False
            continue
        joined[edge.a, edge.b] = True
        if a == b:
            continue
        for key in members[b]:
            cluster_of[key] = a
        members[a] |= members.pop(b)
        for limit_key, held in values.pop(b, {}).items():
            values[a][limit_key] |= held
    return Answer(cluster_of, joined)


def _is_refused(graph: Graph, members: dict, values: dict, a: int, b: int) -> bool:
    for limit_key, most in LIMITS.items():
        left, right = values[a][limit_key], values[b][limit_key]
        # A cluster above its limit by a manual link may still take what adds no value.
        if len(left | right) > most and len(left | right) > max(len(left), len(right)):
            return True
    return any(pair(m, n) in graph.apart for m in members[a] for n in members[b])


def random_graph(draw: random.Random) -> Graph:
    """A small graph: any mix of limited nodes, values that count as one, manual links, pairs apart."""
    keys = draw.sample(range(1, 2**60), draw.choice((2, 3, 4, 6, 9, 14)))
    kinds = [*LIMITS, None] if draw.random() < 0.7 else [draw.choice([*LIMITS]), None]
    nodes: list[Node] = []
    for key in keys:
        kind = draw.choice(kinds)
        alike = [n.value_key for n in nodes if kind and n.limit_key == kind]
        value = draw.choice(alike) if alike and draw.random() < 0.2 else key
        nodes.append(Node(key, kind, value))
    pairs = {pair(*draw.sample(keys, 2)) for _ in range(draw.randint(1, 3 * len(keys)))}
    must_share = draw.choice((0, 0, 0.15))
    edges = [
        Edge(a, b, draw.random() < must_share, draw.randint(0, 3), draw.choice((1, 1, 2, 5)))
        for a, b in sorted(pairs)
    ]
    apart = {pair(*draw.sample(keys, 2)) for _ in range(draw.choice((0, 0, 1, 2)))}
    return Graph(nodes, edges, apart)


def hub(draw: random.Random, leaves: int) -> Graph:
    """A shared card below the degree cap: everyone hangs on it, only one of them can have it."""
    centre, *keys = draw.sample(range(1, 2**60), 2 * leaves + 1)
    nodes = [Node(centre, "pos_card|", centre)]
    edges = []
    for crm, phone in zip(keys[:leaves], keys[leaves:], strict=True):
        nodes += [Node(crm, "crm_id|shop", crm), Node(phone, None, phone)]
        edges += [
            Edge(*pair(crm, phone), False, 0, 1),
            Edge(*pair(crm, centre), False, 1, draw.randint(1, 3)),
            Edge(*pair(phone, centre), False, 2, draw.randint(1, 3)),
        ]
    return Graph(nodes, edges)


def stairs(draw: random.Random, steps: int) -> Graph:
    """A path whose edges come in their order from one end: no two of them can be judged at once."""
    keys = draw.sample(range(1, 2**60), steps + 1)
    nodes = [Node(k, "crm_id|shop" if i % 7 == 0 else None, k) for i, k in enumerate(keys)]
    edges = [
        Edge(*pair(a, b), False, step, 1) for step, (a, b) in enumerate(itertools.pairwise(keys))
    ]
    return Graph(nodes, edges)


def graphs() -> list[Graph]:
    draw = random.Random(20)
    return [
        *(random_graph(draw) for _ in range(GRAPHS)),
        hub(draw, 24),
        hub(draw, 48),
        stairs(draw, 40),
        stairs(draw, 200),
    ]


@pytest.fixture(scope="module")
def planted() -> list[Graph]:
    return graphs()


@pytest.fixture(scope="module")
def found(warehouse: Warehouse, planted: list[Graph]) -> Answer:
    """What one run of the models makes of all graphs at once."""
    warehouse.land()
    warehouse.put(
        {
            "int_identity__links": (
                "node_a bigint, node_b bigint, is_must boolean, weaker_priority bigint, record_count bigint",
                (
                    (e.a, e.b, e.is_must, e.priority, e.record_count)
                    for g in planted
                    for e in g.edges
                ),
            ),
            "int_identity__contested": (
                "node_key bigint, component_key bigint, limit_key varchar, value_key bigint, max_values bigint",
                (
                    (
                        n.key,
                        min(m.key for m in g.nodes),
                        n.limit_key,
                        n.value_key,
                        LIMITS.get(n.limit_key or ""),
                    )
                    for g in planted
                    for n in g.nodes
                ),
            ),
            "int_identity__apart": (
                "node_a bigint, node_b bigint",
                (p for g in planted for p in g.apart),
            ),
        }
    )
    warehouse.dbt("run", "--select", "int_identity__cut", "int_identity__cut_components")
    return Answer(
        dict(
            warehouse.ask(
                "select node_key, component_key from identity.int_identity__cut_components"
            )
        ),
        {
            (a, b): is_joined
            for a, b, is_joined in warehouse.ask(
                "select node_a, node_b, is_joined from identity.int_identity__cut"
            )
        },
    )


def test_the_planted_graphs_try_every_branch(planted: list[Graph]) -> None:
    outcomes = [constrained_union(g).joined for g in planted]
    assert sum(False in joined.values() for joined in outcomes) > GRAPHS / 3
    assert sum(True in joined.values() for joined in outcomes) > GRAPHS / 3
    assert sum(any(e.is_must for e in g.edges) for g in planted) > GRAPHS / 10
    assert sum(bool(g.apart) for g in planted) > GRAPHS / 10


def test_the_cut_refuses_what_the_union_edge_by_edge_refuses(
    planted: list[Graph], found: Answer
) -> None:
    expected = {edge: ok for g in planted for edge, ok in constrained_union(g).joined.items()}
    assert found.joined == expected


def test_the_parts_are_those_of_the_union_edge_by_edge(planted: list[Graph], found: Answer) -> None:
    expected = {}
    for graph in planted:
        parts = defaultdict(set)
        for key, cluster in constrained_union(graph).cluster_of.items():
            parts[cluster].add(key)
        expected |= {key: min(part) for part in parts.values() for key in part}
    assert found.cluster_of == expected


def test_no_part_is_above_a_limit_or_holds_a_pair_apart_unless_a_manual_link_says_so(
    planted: list[Graph], found: Answer
) -> None:
    for graph in planted:
        ordered = constrained_union(graph, must_only=True).cluster_of
        held, ordered_held = defaultdict(set), defaultdict(set)
        for node in graph.nodes:
            if node.limit_key:
                held[found.cluster_of[node.key], node.limit_key].add(node.value_key)
                ordered_held[ordered[node.key], node.limit_key].add(node.value_key)
        for (_, limit_key), values in held.items():
            assert (
                len(values) <= LIMITS[limit_key]
                or values in [v for (_, key), v in ordered_held.items() if key == limit_key]
            )  # fmt: skip
        for a, b in graph.apart:
            assert found.cluster_of[a] != found.cluster_of[b] or ordered[a] == ordered[b]


def test_a_refused_link_names_what_it_would_break(
    warehouse: Warehouse, planted: list[Graph], found: Answer
) -> None:
    reasons = {
        (a, b): reason
        for a, b, reason in warehouse.ask(
            "select node_a, node_b, reason from identity.int_identity__cut where not is_joined"
        )
    }
    for graph in planted:
        values, parts = defaultdict(set), defaultdict(set)
        for node in graph.nodes:
            parts[found.cluster_of[node.key]].add(node.key)
            if node.limit_key:
                values[found.cluster_of[node.key], node.limit_key].add(node.value_key)
        for edge in graph.edges:
            if found.joined[edge.a, edge.b]:
                continue
            a, b = found.cluster_of[edge.a], found.cluster_of[edge.b]
            broken = {
                f"limit:{key.split('|')[0]}"
                for key, most in LIMITS.items()
                if len(values[a, key] | values[b, key]) > most
            }
            if any(pair(m, n) in graph.apart for m in parts[a] for n in parts[b]):
                broken.add("cannot_link")
            assert reasons[edge.a, edge.b] in broken
