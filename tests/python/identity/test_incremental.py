"""Components found from run to run against a plain union-find over the whole graph of each run."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from warehouse import Warehouse

NODES = 4_000
MODELS = ("int_identity__plain_components", "int_identity__cut_components")

Edge = tuple[int, int]


@dataclass
class Graph:
    """Nodes and the edges between them, which change from run to run."""

    draw: random.Random
    nodes: set[int] = field(default_factory=set)
    edges: set[Edge] = field(default_factory=set)

    def add(self, nodes: int, edges: int) -> None:
        """New nodes, and edges between any two, old or new; keys small and large come at any time."""
        self.nodes |= {self.draw.randrange(1, 2**60) for _ in range(nodes)}
        known = sorted(self.nodes)
        self.edges |= {tuple(sorted(self.draw.sample(known, 2))) for _ in range(edges)}

    def drop(self, nodes: int, edges: int) -> None:
        """Some edges go, and some nodes with all of theirs; labels (smallest keys) among them."""
        self.edges -= set(self.draw.sample(sorted(self.edges), edges))
        labels = sorted(set(self.components().values()))
        gone = set(self.draw.sample(sorted(self.nodes), nodes // 2))
        gone |= set(self.draw.sample(labels, nodes - nodes // 2))
        self.nodes -= gone
        self.edges = {e for e in self.edges if not gone & set(e)}

    def clear(self) -> None:
        self.nodes, self.edges = set(), set()

    def components(self) -> dict[int, int]:
        """Smallest key of each node's component, by the plainest algorithm there is."""
        neighbours = defaultdict(set)
        for a, b in self.edges:
            neighbours[a].add(b)
            neighbours[b].add(a)
        label: dict[int, int] = {}
        for node in sorted(self.nodes):
            if node in label:
                continue
            label[node] = node
            reached = [node]
            while reached:
                for other in neighbours[reached.pop()]:
                    if other not in label:
                        label[other] = node
                        reached.append(other)
        return label


@dataclass
class Run:
    """What one dbt run found, model by model: labels, expected labels, and how it says it got there."""

    found: dict[str, dict[int, int]]
    expected: dict[str, dict[int, int]]
    mode: dict[str, str]


def one_run(warehouse: Warehouse, graphs: dict[str, Graph], *flags: str) -> Run:
    """Solve both graphs, each through the model that reads the tables put here."""
    plain, cut = (graphs[model] for model in MODELS)
    warehouse.put(
        {
            "int_identity__identifiers": (
                "node_key bigint, is_account boolean, strength varchar, blocked_reason varchar",
                ((n, False, "strong", None) for n in plain.nodes),
            ),
            "int_identity__crowded": ("node_key bigint", ()),
            "int_identity__links": ("node_a bigint, node_b bigint", plain.edges),
            "int_identity__contested": ("node_key bigint", ((n,) for n in cut.nodes)),
            "int_identity__cut": (
                "node_a bigint, node_b bigint, is_joined boolean",
                ((a, b, True) for a, b in cut.edges),
            ),
        }
    )
    said = warehouse.dbt("run", *flags, "--select", *MODELS).stdout
    return Run(
        {
            m: dict(warehouse.ask(f"select node_key, component_key from identity.{m}"))
            for m in MODELS
        },
        {m: graphs[m].components() for m in MODELS},
        {
            m: line.split("rounds, ")[1].rstrip(".")
            for line in said.splitlines()
            for m in MODELS
            if f"Components of {m} settled" in line
        },
    )


@pytest.fixture(scope="module")
def runs(warehouse: Warehouse) -> list[Run]:
    """Two graphs through six runs; what each run changes stands beside it."""
    warehouse.land()
    graphs = {model: Graph(random.Random(seed)) for seed, model in enumerate(MODELS, start=3)}
    plain, cut = graphs.values()
    done = []
    for graph in graphs.values():
        graph.add(NODES, 3 * NODES // 4)
    done.append(one_run(warehouse, graphs))  # 0: from nothing
    plain.add(150, 200)
    cut.drop(60, 150)
    done.append(one_run(warehouse, graphs))  # 1: only more; only less
    plain.drop(80, 120)
    plain.add(120, 150)
    done.append(one_run(warehouse, graphs))  # 2: more and less at once; nothing
    cut.drop(800, 600)
    cut.add(900, 900)
    done.append(one_run(warehouse, graphs))  # 3: nothing; more than a fifth
    plain.drop(50, 100)
    plain.add(60, 200)
    cut.clear()
    done.append(one_run(warehouse, graphs))  # 4: more and less; everything goes
    cut.add(500, 400)
    done.append(one_run(warehouse, graphs, "--full-refresh"))  # 5: the same, in full; all is new
    return done


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("model", MODELS)
def test_every_run_finds_the_components_and_their_smallest_keys(
    runs: list[Run], number: int, model: str
) -> None:
    assert runs[number].found[model] == runs[number].expected[model]


def test_the_graphs_have_what_can_go_wrong(runs: list[Run]) -> None:
    before, after = runs[1].expected[MODELS[0]], runs[2].expected[MODELS[0]]
    both = before.keys() & after.keys()
    parts, wholes = defaultdict(set), defaultdict(set)
    for node in both:
        parts[before[node]].add(after[node])
        wholes[after[node]].add(before[node])
    assert sum(len(p) > 1 for p in parts.values()) > 10, "components that fall apart"
    assert sum(len(w) > 1 for w in wholes.values()) > 10, "components that grow together"
    assert sum(label not in after for label in set(before.values())) > 10, "labels that vanish"
    assert max(len([n for n in after if after[n] == label]) for label in set(after.values())) > 100


def test_a_run_says_how_much_was_new(runs: list[Run]) -> None:
    plain, cut = ([run.mode[model] for run in runs] for model in MODELS)
    assert plain[0] == cut[0] == "solved in full"
    assert "edges new and" in plain[1] and "edges new and" in plain[2] and "edges new and" in cut[1]
    assert plain[3].startswith("0 edges new and 0 gone of ")
    assert cut[2].startswith("0 edges new and 0 gone of ")
    assert cut[3] == cut[4] == "solved in full"
    assert plain[5] == cut[5] == "solved in full"


def test_a_full_refresh_gives_the_same_table(runs: list[Run]) -> None:
    assert runs[4].mode[MODELS[0]] != runs[5].mode[MODELS[0]]
    assert runs[5].found[MODELS[0]] == runs[4].found[MODELS[0]]
