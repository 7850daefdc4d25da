"""Planted graphs through the real models: what belongs together is together, in any order."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections import defaultdict
from pathlib import Path

import pytest
from checkout import run
from warehouse import DIRECT_ONLY, Warehouse

CHAIN = 2_000
RING = 300
LEAVES = 45
CROWD = 120
RANDOM_NODES, RANDOM_EDGES = 1_500, 1_300
IDENTITY = ("+int_identity__customer_ids", "+int_identity__rejected_edges")

Pair = tuple[str, str]


def planted_pairs() -> dict[str, list[Pair]]:
    """Pairs of strong identifiers on one record, by the shape of the graph that they make."""
    numbered = [f"chain{i:06d}" for i in range(CHAIN)]
    ring = [f"ring{i:06d}" for i in range(RING)]
    draw = random.Random(7)
    mixed = [f"random{i:06d}" for i in range(RANDOM_NODES)]
    return {
        "chain": list(itertools.pairwise(numbered)),
        "ring": list(zip(ring, ring[1:] + ring[:1], strict=True)),
        "star": [("hub", f"leaf{i:06d}") for i in range(LEAVES)],
        "crowd": [("switchboard", f"crowd{i:06d}") for i in range(CROWD)],
        "random": [(draw.choice(mixed), draw.choice(mixed)) for _ in range(RANDOM_EDGES)],
        "alone": [("alone", "alone")],
    }


def orders(pairs: dict[str, list[Pair]], seed: int) -> list[dict[str, str]]:
    """One order of a guest per pair; `seed` shuffles rows and identifiers, not what they say."""
    draw = random.Random(seed)
    rows = []
    for shape, shape_pairs in pairs.items():
        for number, pair in enumerate(shape_pairs):
            members = sorted(set(pair))
            draw.shuffle(members)
            ids = [{"id_type": "tb_omid", "id_scope": "p", "id_value": m} for m in members]
            rows.append(
                {
                    "source_system": "shop",
                    "source_record_id": f"{shape}{number}",
                    "ordered_at": f"2025-01-{1 + number % 28:02d} 00:00:00",
                    "status": "paid",
                    "paid_amount": "1",
                    "currency": "CNY",
                    "ids": json.dumps(ids),
                }
            )
    draw.shuffle(rows)
    return rows


def union_find(pairs: list[Pair]) -> set[frozenset[str]]:
    """Components of the graph of `pairs`, by the plainest algorithm there is."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            node = parent[node]
        return node

    for left, right in pairs:
        parent[find(left)] = find(right)
    groups = defaultdict(set)
    for node in list(parent):
        groups[find(node)].add(node)
    return {frozenset(members) for members in groups.values()}


def customers(warehouse: Warehouse) -> dict[str, str]:
    """Customer id of every planted identifier."""
    return dict(
        warehouse.ask(
            "select i.id_value, c.customer_id from identity.int_identity__components as n "
            "join identity.int_identity__identifiers as i using (node_key) "
            "join identity.int_identity__customer_ids as c using (component_key)"
        )
    )


def build(root: Path, *select: str) -> None:
    """Build models, and the seeds among them, on what is landed under `root`."""
    run(
        *("dbt", "build", "--select", *select),
        *("--exclude", "resource_type:test", "resource_type:unit_test"),
        *("--vars", json.dumps(DIRECT_ONLY)),
        data_root=root,
    )


@pytest.fixture(scope="module")
def said(warehouse: Warehouse) -> str:
    """Output of the run that finds the planted components; no type has a limit in this warehouse."""
    warehouse.land({"order_header": orders(planted_pairs(), seed=1)})
    warehouse.dbt("seed", "--select", "id_type_rule", "placeholder_word")
    warehouse.execute("update seeds.id_type_rule set max_values_per_customer = null")
    return warehouse.dbt("run", "--select", *IDENTITY).stdout


@pytest.fixture(scope="module")
def found(warehouse: Warehouse, said: str) -> dict[str, str]:
    return customers(warehouse)


def test_every_shape_has_the_components_of_a_plain_union_find(found: dict[str, str]) -> None:
    groups = defaultdict(set)
    for node, customer in found.items():
        groups[customer].add(node)
    planted = planted_pairs()
    apart = {frozenset([leaf]) for _, leaf in planted.pop("crowd")}
    joined = union_find([pair for pairs in planted.values() for pair in pairs])
    assert {frozenset(members) for members in groups.values()} == joined | apart


def test_a_value_shared_by_a_crowd_joins_nobody_and_says_why(
    warehouse: Warehouse, found: dict[str, str]
) -> None:
    assert "switchboard" not in found
    reasons = warehouse.ask(
        "select reason, count(*) from identity.int_identity__rejected_edges group by reason"
    )
    assert reasons == [("degree_cap", CROWD)]


def test_a_chain_with_sequential_ids_settles_in_few_rounds(said: str) -> None:
    rounds = re.search(
        r"int_identity__plain_components settled in (\d+) rounds, solved in full", said
    )
    assert 1 < int(rounds[1]) <= 20


def test_ids_do_not_depend_on_the_order_of_rows(
    warehouse: Warehouse, found: dict[str, str]
) -> None:
    warehouse.execute("drop schema identity cascade")
    warehouse.land({"order_header": orders(planted_pairs(), seed=2)})
    models = (f"int_unified__order_header_records+,{model}" for model in IDENTITY)
    warehouse.dbt("run", "--select", *models)
    assert customers(warehouse) == found


def test_a_search_that_does_not_settle_stops_loudly_and_keeps_what_was_there(
    warehouse: Warehouse, found: dict[str, str]
) -> None:
    key = "cast('0x' || substr(md5(cast({} as varchar)), 1, 15) as bigint)"
    warehouse.execute(
        "create or replace table identity.int_identity__links as select "
        f"{key.format('i')} as node_a, {key.format('i + 1')} as node_b from range(200000) as t(i)"
    )
    settings = DIRECT_ONLY | {"identity_max_rounds": 5}
    done = run(
        *("dbt", "run", "--select", "int_identity__plain_components"),
        *("--vars", json.dumps(settings)),
        data_root=warehouse.root,
        check=False,
    )
    assert done.returncode != 0
    assert "did not settle in 5 rounds" in done.stdout
    assert "raise the setting identity_max_rounds" in done.stdout
    assert customers(warehouse) == found
