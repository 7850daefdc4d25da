"""The component search as macros on random graphs: full and step by step, it finds what a plain union-find finds."""

from __future__ import annotations

import random

import duckdb
import pytest

from orchestration.bench.macros import Macros

Edges = set[tuple[int, int]]


def plain_labels(edges: Edges) -> dict[int, int]:
    """Smallest node of each node's component."""
    parent = {node: node for edge in edges for node in edge}

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {node: root(node) for node in parent}


def random_edges(draw: random.Random, nodes: int, count: int) -> Edges:
    pairs = [(draw.randrange(nodes), draw.randrange(nodes)) for _ in range(count)]
    return {(min(pair), max(pair)) for pair in pairs}


def write(con: duckdb.DuckDBPyConnection, name: str, edges: Edges) -> None:
    con.execute(f"create or replace table {name} (node_a bigint, node_b bigint)")
    if edges:
        con.executemany(f"insert into {name} values (?, ?)", sorted(edges))


def keep(con: duckdb.DuckDBPyConnection, labels: str) -> dict[int, int]:
    """Write the answer as the materialization does, and return it."""
    con.execute(
        "create or replace table solved as "
        f"select node as node_key, pointer as component_key from {labels} as labels"
    )
    rows = con.execute("select node_key, component_key from solved").fetchall()
    con.execute("create or replace table former as select * from solved")
    assert len({node for node, _ in rows}) == len(rows)
    return dict(rows)


@pytest.mark.parametrize("seed", range(15))
def test_a_graph_that_changes_keeps_the_labels_of_a_graph_solved_anew(seed: int) -> None:
    draw = random.Random(seed)
    nodes = draw.choice([5, 40, 300])
    edges = random_edges(draw, nodes, draw.randint(nodes // 2, nodes))
    with duckdb.connect() as con:
        macros = Macros(con)
        write(con, "graph", edges)
        found = macros["solve_components"]("graph", None, None, False)
        assert keep(con, found["labels"]) == plain_labels(edges)
        for _ in range(4):
            con.execute("create or replace table former_graph as select * from graph")
            size = max(1, nodes // 12)
            gone = set(draw.sample(sorted(edges), min(len(edges), draw.randint(0, size))))
            edges = (edges - gone) | random_edges(draw, nodes + size, draw.randint(0, size))
            write(con, "graph", edges)
            found = macros["solve_components"]("graph", "former", "former_graph", True)
            if "aliases" in found:
                con.execute("create or replace table in_place as select * from former")
                con.execute(macros["rewrite_labels"]("in_place", found))
                in_place = con.execute("select node_key, component_key from in_place").fetchall()
                assert sorted(in_place) == sorted(plain_labels(edges).items())
            assert keep(con, found["labels"]) == plain_labels(edges)


@pytest.mark.parametrize("few", [0, 3, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_the_answer_does_not_depend_on_how_many_edges_are_settled_last(seed: int, few: int) -> None:
    draw = random.Random(seed)
    edges = random_edges(draw, 300, draw.randint(150, 300)) - {(n, n) for n in range(300)}
    with duckdb.connect() as con:
        write(con, "graph", edges)
        found = Macros(con)["contract_graph"]("graph", few)
        labels = dict(con.execute(f"select node, pointer from {found['labels']}").fetchall())
        left = [
            name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()
        ]
    assert labels == {n: label for n, label in plain_labels(edges).items() if n != label}
    assert found["rounds"] == 1 if few == 1000 else found["rounds"] > 1
    assert sorted(left) == sorted(["graph", found["labels"]])
