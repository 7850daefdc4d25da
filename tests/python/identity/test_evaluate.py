"""Scores of a partition against an enumeration of every pair, and against published examples."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest

from orchestration.bench.macros import Macros

Partition = dict[int, str | None]

# Bagga and Baldwin, Algorithms for Scoring Coreference Chains (1998): twelve mentions of three
# entities, and two answers that each fuse two of the entities.
ENTITIES = {n: "ABC"[(n > 5) + (n > 7)] for n in range(1, 13)}
FUSES_SMALL_AND_LARGE = {n: "one" if n <= 5 else "two" for n in ENTITIES}
FUSES_THE_LARGE_ONES = {n: "two" if n in (6, 7) else "one" for n in ENTITIES}


def table(con: duckdb.DuckDBPyConnection, name: str, column: str, rows: Partition) -> None:
    con.execute(f"create or replace table {name} (record bigint, {column} varchar)")
    for row in rows.items():
        con.execute(f"insert into {name} values (?, ?)", row)


def one_row(con: duckdb.DuckDBPyConnection, query: str) -> dict:
    answer = con.execute(query)
    names = [column[0] for column in answer.description]
    (row,) = answer.fetchall()
    return dict(zip(names, row, strict=True))


def scores(predicted: Partition, truth: Partition) -> dict:
    with duckdb.connect() as con:
        table(con, "predicted", "customer_id", predicted)
        table(con, "truth", "person_id", truth)
        return one_row(con, Macros(con)["identity_scores"]("predicted", "truth", ["record"]))


def churn(previous: Partition, current: Partition) -> dict:
    with duckdb.connect() as con:
        table(con, "previous", "customer_id", previous)
        table(con, "latter", "customer_id", current)
        return one_row(con, Macros(con)["id_churn"]("previous", "latter", ["record"]))


def enumerated(predicted: Partition, truth: Partition) -> dict:
    """The same scores from every pair of records and every record's two clusters."""
    known = {record: person for record, person in truth.items() if person is not None}
    found = {record: predicted.get(record) or f"alone {record}" for record in known}
    pairs = list(itertools.combinations(known, 2))
    same_found = {pair for pair in pairs if found[pair[0]] == found[pair[1]]}
    same_known = {pair for pair in pairs if known[pair[0]] == known[pair[1]]}
    both = len(same_found & same_known)
    shares = defaultdict(list)
    for record in known:
        cluster = {other for other in known if found[other] == found[record]}
        person = {other for other in known if known[other] == known[record]}
        shares["precision"].append(Fraction(len(cluster & person), len(cluster)))
        shares["recall"].append(Fraction(len(cluster & person), len(person)))
    precision, recall = (sum(v) / len(v) for v in shares.values())
    persons_of, customers_of = defaultdict(Counter), defaultdict(set)
    for record in known:
        persons_of[found[record]][known[record]] += 1
        customers_of[known[record]].add(found[record])
    largest = max(counts.total() for counts in persons_of.values())
    return {
        "record_count": len(known),
        "missing_count": sum(predicted.get(record) is None for record in known),
        "person_count": len(customers_of),
        "customer_count": len(persons_of),
        "mixed_customer_count": sum(len(counts) > 1 for counts in persons_of.values()),
        "split_person_count": sum(len(customers) > 1 for customers in customers_of.values()),
        "largest_customer": largest,
        "largest_customer_purity": min(
            Fraction(max(counts.values()), largest)
            for counts in persons_of.values()
            if counts.total() == largest
        ),
        "true_pair_count": len(same_known),
        "predicted_pair_count": len(same_found),
        "shared_pair_count": both,
        "pair_precision": Fraction(both, len(same_found)) if same_found else None,
        "pair_recall": Fraction(both, len(same_known)) if same_known else None,
        "pair_f1": Fraction(2 * both, len(same_found) + len(same_known))
        if same_found or same_known
        else None,
        "bcubed_precision": precision,
        "bcubed_recall": recall,
        "bcubed_f1": 2 * precision * recall / (precision + recall),
    }


@pytest.mark.parametrize("seed", range(12))
def test_scores_are_those_of_every_pair_enumerated(seed: int) -> None:
    draw = random.Random(seed)
    names = [None, *"abcdefgh"][: draw.randint(2, 9)]
    size = draw.randint(1, 40)
    truth = {n: draw.choice([*"PQRSTU", None]) for n in range(size)} | {size: "P"}
    predicted = {n: draw.choice(names) for n in range(draw.randint(0, size), size + 5)}
    found, expected = scores(predicted, truth), enumerated(predicted, truth)
    assert list(found) == list(expected)
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
        else:
            assert float(found[name]) == pytest.approx(float(value), abs=1e-6), name


@pytest.mark.parametrize(
    "answer, precision",
    [(FUSES_SMALL_AND_LARGE, Fraction(16, 21)), (FUSES_THE_LARGE_ONES, Fraction(7, 12))],
    ids=["76 percent", "58 percent"],
)
def test_bcubed_of_the_published_example(answer: Partition, precision: Fraction) -> None:
    found = scores(answer, ENTITIES)
    assert float(found["bcubed_precision"]) == pytest.approx(float(precision), abs=1e-6)
    assert found["bcubed_recall"] == 1


def test_a_truth_without_records_has_no_ratios() -> None:
    found = scores({1: "a"}, {})
    assert found["record_count"] == found["customer_count"] == found["largest_customer"] == 0
    assert found["pair_f1"] is None and found["bcubed_f1"] is None


def test_churn_tells_reasons_apart() -> None:
    previous = {1: "kept", 2: "kept", 3: "left", 4: "left", 5: "renamed", 6: "old", 7: "gone"}
    previous |= {8: "whole", 9: "whole"}
    current = {1: "kept", 2: "kept", 3: "left", 4: "left", 5: "other", 6: "left"}
    current |= {8: "whole", 9: "part", 10: "kept"}
    assert churn(previous, current) == {
        "customer_count": 5,
        "moved_count": 2,
        "renamed_count": 1,
        "merged_count": 2,
        "split_count": 1,
        "moved_rate": Decimal("0.4"),
        "renamed_rate": Decimal("0.2"),
        "merged_rate": Decimal("0.4"),
        "split_rate": Decimal("0.2"),
    }


def test_the_same_run_twice_has_no_churn() -> None:
    found = churn(ENTITIES, ENTITIES)
    assert found["customer_count"] == 3
    assert not any(value for name, value in found.items() if name != "customer_count")
