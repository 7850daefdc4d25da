"""A generated graph of evidence between identifiers: heavy tails, cross links and long chains.

The same (persons, seed) gives the same Parquet files. Node keys are those of the project's macro
`node_key` over the nodes' running numbers, so neighbours on a chain have sequential ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from orchestration.bench.child import THREADS
from orchestration.bench.macros import Macros
from orchestration.demo.prng import MACROS, Draws

SEED = 42
TAIL = 1.6
LARGEST_PERSON = 3_000
NEW_SHARE = 0.01
# (nodes, chains of a million persons); fewer persons get fewer chains of the same length.
CHAINS = ((2_000, 20), (200, 200))
LONG_CHAIN, LONG_CHAINS = 2_000, 100

EDGES, OLD_EDGES, NEW_EDGES = "edges.parquet", "old_edges.parquet", "new_edges.parquet"


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory database with the threads that every contestant gets."""
    connection = duckdb.connect()
    connection.execute(f"set threads = {THREADS}; set preserve_insertion_order = false")
    connection.execute("set enable_progress_bar = false")
    return connection


def write_graph(persons: int, folder: Path) -> dict[str, Any]:
    """Write edges.parquet (node_a, node_b; repeated evidence is a repeated row, rows in random
    order), and the same rows again as old_edges.parquet and new_edges.parquet (1 %).

    Returns the numbers of rows, distinct edges and nodes.
    """
    con = connect()
    con.execute(MACROS)
    draws = Draws(SEED)
    draw = draws.unit("nodes", "i")
    con.execute(
        f"""
        create temp table persons as
        select
            person,
            node_count,
            cast(sum(node_count) over (order by person) - node_count as bigint) as first_node
        from (
            select
                i as person,
                cast(least({LARGEST_PERSON}, 1 + floor(pow({draw}, {-1 / TAIL!r}))) as bigint)
                    as node_count
            from range({persons}) as t(i)
        )
        """
    )
    con.execute(
        f"""
        create temp table nodes as
        select first_node + j as node, first_node, node_count,
            case
                when {draws.unit("is_hub", "first_node + j")} < 0.5 then first_node
                else first_node + {draws.below("parent", "first_node + j", "j")}
            end as parent
        from (
            select first_node, node_count, unnest(range(1, node_count)) as j from persons
        )
        """
    )
    parts = [
        "select 'tree' as kind, node as row_number, node as a, parent as b from nodes",
        f"""select 'again' as kind, node as row_number, parent as a, node as b from nodes
            where {draws.unit("again", "node")} < 0.43""",
        f"""select 'extra' as kind, node as row_number, node as a,
                first_node + {draws.below("other", "node", "node_count")} as b
            from nodes where node_count > 2""",
        f"""select 'cross' as kind, p.person as row_number, p.first_node as a, q.first_node as b
            from persons as p
            inner join persons as q on q.person = {draws.below("cross", "p.person", persons)}
            where {draws.unit("is_cross", "p.person")} < 0.005""",
    ]
    for length, of_a_million in CHAINS:
        chains = _scaled(of_a_million, persons)
        # A node number that no person's node has: the chains come after the largest of them.
        first = f"(select max(first_node + node_count) from persons) + {10_000_000 * length}"
        parts.append(
            f"""select 'chain' as kind, {length} * 1000000 + i as row_number,
                {first} + i as a, {first} + i + 1 as b
            from range({chains * length}) as t(i) where i % {length} <> {length - 1}"""
        )
    node_key = Macros(con)["node_key"]
    key_a, key_b = (node_key(f"'bench|' || cast({end} as varchar)") for end in "ab")
    con.execute(
        f"""
        create temp table keyed as
        select least(key_a, key_b) as node_a, greatest(key_a, key_b) as node_b, shuffle, is_new
        from (
            select
                {key_a} as key_a,
                {key_b} as key_b,
                {draws.bits("shuffle", _mixed())} as shuffle,
                {draws.unit("is_new", _mixed())} < {NEW_SHARE} as is_new
            from ({" union all ".join(parts)})
            where a <> b
        )
        """
    )
    con.execute("set preserve_insertion_order = true")
    for name, condition in ((EDGES, "true"), (OLD_EDGES, "not is_new"), (NEW_EDGES, "is_new")):
        con.execute(
            f"copy (select node_a, node_b from keyed where {condition} "
            f"order by shuffle, node_a, node_b) to '{folder / name}' (format parquet)"
        )
    rows, new_rows, distinct, nodes = con.execute(
        """
        select
            (select count(*) from keyed),
            (select count(*) from keyed where is_new),
            (select count(*) from (select distinct node_a, node_b from keyed)),
            (select count(*) from (select node_a from keyed union select node_b from keyed))
        """
    ).fetchone()
    return {"rows": rows, "new_rows": new_rows, "distinct": distinct, "nodes": nodes}


def _mixed() -> str:
    """A 32-bit number of a row, other for each kind of edge."""
    kinds = {"tree": 1, "again": 2, "extra": 3, "cross": 4, "chain": 5}
    number = " ".join(f"when '{kind}' then {n * 715_827_883}" for kind, n in kinds.items())
    return f"((row_number + case kind {number} end) % 4294967296)"


def _scaled(of_a_million: int, persons: int) -> int:
    return max(1, round(of_a_million * persons / 1_000_000))


def long_chains(persons: int) -> int:
    """How many chains of 2,000 the adversarial graph has."""
    return _scaled(LONG_CHAINS, persons)


def write_chains(con: duckdb.DuckDBPyConnection, node_key: Any, chains: int) -> None:
    """Tables chain_nodes (chain, node) and chain_edges (node_a, node_b) of sequential ids."""
    key = node_key("'chain|' || cast(i as varchar)")
    con.execute(
        f"create temp table chain_nodes as select i, i // {LONG_CHAIN} as chain, {key} as node "
        f"from range({chains * LONG_CHAIN}) as t(i)"
    )
    con.execute(
        "create temp table chain_edges as select a.node as node_a, b.node as node_b "
        "from chain_nodes as a inner join chain_nodes as b on b.chain = a.chain and b.i = a.i + 1"
    )
