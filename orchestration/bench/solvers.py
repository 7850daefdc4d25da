"""Contestants: each reads the same Parquet of edges and ends with one label per node.

Every function runs in a process of its own (see `child`) and returns {seconds, processor_seconds,
nodes, clusters, checksum}: the time from the first byte read to the last label written, and a
number that two answers share only if every node has the same label in both. The label of a cluster
is its smallest node key, so right answers are equal whoever found them.
"""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import Any

import duckdb

from orchestration.bench import graph
from orchestration.bench.child import THREADS
from orchestration.bench.macros import Macros

FIXED_ROUNDS = 5
# Two primes below 2^31: the product of two remainders fits 62 bits.
_PRIME_A, _PRIME_B = 2_147_483_629, 2_147_483_587


def _edges(file: Path) -> str:
    return f"select node_a, node_b from read_parquet('{file}')"


def _both_ways(edges: str) -> str:
    return (
        f"select node_a as node, node_b as neighbour from {edges} "
        f"union all select node_b as node, node_a as neighbour from {edges}"
    )


def _judge(con: duckdb.DuckDBPyConnection, labels: str) -> dict[str, Any]:
    nodes, clusters, checksum = con.execute(
        "select count(*), count(distinct label), "
        f"coalesce(sum((node % {_PRIME_A}) * (label % {_PRIME_B})), 0) from ({labels})"
    ).fetchone()
    return {"nodes": nodes, "clusters": clusters, "checksum": str(checksum)}


class _Clock:
    """Seconds on the wall, and of processors: the latter move less when others use the machine."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {
            "seconds": time.perf_counter() - self._wall,
            "processor_seconds": time.process_time() - self._processor,
        }


_SOLVED = "select node_key as node, component_key as label from solved"


def _distinct(table: str, edges: str) -> str:
    """What the materialization keeps of its input."""
    return (
        f"create table {table} as select distinct least(node_a, node_b) as node_a, "
        f"greatest(node_a, node_b) as node_b from ({edges}) as given"
    )


def _members(table: str, labels: str) -> str:
    """The materialization's table."""
    return (
        f"create table {table} as select node as node_key, pointer as component_key "
        f"from {labels} as labels"
    )


def limit(edges_file: Path) -> dict[str, Any]:
    """Not an answer, but what every answer needs at least: read every edge in both directions, and
    aggregate once by node."""
    con = graph.connect()
    clock = _Clock()
    con.execute(
        "create temp table nearest as select node, min(neighbour) as label "
        f"from ({_both_ways(f'read_parquet({str(edges_file)!r})')}) group by node"
    )
    return clock.read()


def project(edges_file: Path) -> dict[str, Any]:
    """The project's full solve, as the materialization runs it: the distinct edges that it keeps
    for the next run, the contraction, the table of members."""
    con = graph.connect()
    macros = Macros(con)
    clock = _Clock()
    con.execute(_distinct("graph", _edges(edges_file)))
    found = macros["solve_components"]("graph", None, None, False)
    con.execute(_members("solved", found["labels"]))
    return {**clock.read(), "rounds": found["rounds"], **_judge(con, _SOLVED)}


def scipy(edges_file: Path) -> dict[str, Any]:
    """scipy.sparse.csgraph.connected_components on keys encoded by np.unique."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pa.set_cpu_count(THREADS)
    clock = _Clock()
    edges = pq.read_table(edges_file, columns=["node_a", "node_b"])
    count = edges.num_rows
    ends = np.concatenate([edges["node_a"].to_numpy(), edges["node_b"].to_numpy()])
    del edges
    nodes, codes = np.unique(ends, return_inverse=True)
    del ends
    matrix = coo_array(
        (np.ones(count, np.int8), (codes[:count], codes[count:])), (len(nodes), len(nodes))
    )
    del codes
    clusters, component = connected_components(matrix, directed=False)
    # Keys are sorted, so the first node of a component has its smallest key. Of several writes to
    # one place the last one stays: written backwards, that is the first node's.
    smallest = np.empty(clusters, np.int64)
    smallest[component[::-1]] = nodes[::-1]
    labels = smallest[component]
    took = clock.read()
    total = 0
    for start in range(0, len(nodes), 100_000):
        part = slice(start, start + 100_000)
        products = (nodes[part] % _PRIME_A) * (labels[part] % _PRIME_B)
        total += (int((products >> 31).sum()) << 31) + int((products & (2**31 - 1)).sum())
    return {
        **took,
        "nodes": len(nodes),
        "clusters": int(clusters),
        "checksum": str(total),
    }


def splink(edges_file: Path) -> dict[str, Any]:
    """The clustering function of Splink, if that is installed: {} otherwise."""
    try:
        from splink import DuckDBAPI
        from splink.clustering import cluster_pairwise_predictions_at_threshold
    except ImportError:
        return {}
    con = graph.connect()
    source = f"read_parquet('{edges_file}')"
    with contextlib.redirect_stdout(io.StringIO()):
        clock = _Clock()
        con.execute(f"create table edges as select node_a, node_b from {source}")
        con.execute(
            f"create table nodes as select distinct node from ({_both_ways('edges')}) order by node"
        )
        api = DuckDBAPI(con)
        clusters = cluster_pairwise_predictions_at_threshold(
            api.register("nodes"),
            api.register("edges"),
            api,
            "node",
            edge_id_column_name_left="node_a",
            edge_id_column_name_right="node_b",
        )
        took = clock.read()
    labels = (
        "select node, min(node) over (partition by cluster_id) as label "
        f"from {clusters.physical_name}"
    )
    return {**took, **_judge(con, labels)}


def fixed_rounds(edges_file: Path) -> dict[str, Any]:
    """Five rounds in which every node takes the smallest label next to it: what a chain of models
    without a loop does. Wrong on whatever is longer."""
    con = graph.connect()
    clock = _Clock()
    con.execute(f"create temp table edges as select distinct * from ({_edges(edges_file)})")
    con.execute(
        "create temp table labels as select distinct node, node as label "
        f"from ({_both_ways('edges')})"
    )
    for _ in range(FIXED_ROUNDS):
        con.execute(
            "create or replace temp table labels as select node, min(label) as label from ("
            "select node, label from labels "
            "union all select e.node_b, l.label from edges as e "
            "inner join labels as l on l.node = e.node_a "
            "union all select e.node_a, l.label from edges as e "
            "inner join labels as l on l.node = e.node_b) group by node"
        )
    took = clock.read()
    return {**took, **_judge(con, "select node, label from labels")}


def incremental(old_file: Path, new_file: Path) -> dict[str, Any]:
    """The project's solve of new edges on top of labels that exist, membership rewritten.

    `seconds` is that step; making the former labels is not timed. `compared_seconds` is the whole
    of what the materialization does: it makes the distinct edges anew and compares them with the
    former ones to find what is new.
    """
    con = graph.connect()
    macros = Macros(con)
    con.execute(_distinct("former_graph", _edges(old_file)))
    con.execute(
        _members("former", macros["solve_components"]("former_graph", None, None, False)["labels"])
    )
    con.execute("create table gone as select * from former_graph limit 0")
    con.execute("create table solved as select * from former")

    clock = _Clock()
    con.execute(_distinct("added", _edges(new_file)))
    found = macros["extend_components"](
        "select node_key as node, component_key as pointer from solved", "graph", "added", "gone", 0
    )
    con.execute(macros["rewrite_labels"]("solved", found))
    step = clock.read()
    judged = _judge(con, _SOLVED)

    clock = _Clock()
    con.execute(_distinct("graph", f"{_edges(old_file)} union all {_edges(new_file)}"))
    found = macros["solve_components"]("graph", "former", "former_graph", True)
    con.execute(_members("again", found["labels"]))
    compared = clock.read()["seconds"]
    if _judge(con, _SOLVED.replace("solved", "again")) != judged:
        raise ValueError("Two ways to the same new labels differ.")
    return {**step, "compared_seconds": compared, **judged}


def chains(count: int) -> dict[str, Any]:
    """Rounds of the project's solve on chains of 2,000 with sequential ids, and how many nodes are
    not in the cluster of their chain under its smallest key."""
    con = graph.connect()
    macros = Macros(con)
    graph.write_chains(con, macros["node_key"], count)
    found = macros["solve_components"]("chain_edges", None, None, False)
    con.execute(_members("solved", found["labels"]))
    wrong = con.execute(
        "select count(*) from (select node, min(node) over (partition by chain) as label "
        "from chain_nodes) as t left join solved as s on s.node_key = t.node "
        "where s.component_key is distinct from t.label"
    ).fetchone()[0]
    return {"rounds": found["rounds"], "wrong": wrong}
