"""The benchmark of identity on a small graph, through its public entry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checkout import run

from orchestration.bench.figures import Figure

BOUNDED = {
    "full_vs_limit",
    "peak_memory_vs_scipy",
    "incremental_1pct_speedup",
    "chain_rounds",
    "chain_wrong_nodes",
    "planted_pair_f1",
    "planted_account_pair_f1",
}
NAMED = BOUNDED | {"planted_largest_cluster", "fixed_rounds_extra_clusters", "plain_pair_f1"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    root = tmp_path_factory.mktemp("bench")
    file = root / "figures.json"
    done = run(
        *("perennial", "bench", "identity", "--persons", "20000", "--json", str(file)),
        data_root=root / "data",
    )
    assert not (root / "data" / "warehouse.duckdb").exists()
    return done.stdout, json.loads(file.read_text())


def value(bench: tuple[str, dict], name: str) -> float:
    (found,) = [f["value"] for f in bench[1]["figures"] if f["name"] == name]
    return found


def test_the_file_has_the_documented_shape(bench: tuple[str, dict]) -> None:
    found = bench[1]
    assert list(found) == ["machine", "versions", "figures"]
    assert found["machine"]["threads"] == 2
    assert {"perennial", "python", "duckdb", "scipy"} <= found["versions"].keys()
    assert all(list(f) == ["name", "value", "unit", "bound", "holds"] for f in found["figures"])
    names = [f["name"] for f in found["figures"]]
    assert set(names) >= NAMED and len(set(names)) == len(names)
    assert all((f["bound"] is None) == (f["holds"] is None) for f in found["figures"])
    assert {f["name"] for f in found["figures"] if f["bound"]} >= BOUNDED


def test_the_table_says_what_the_file_says(bench: tuple[str, dict]) -> None:
    text, found = bench
    lines = [line.split() for line in text.splitlines()]
    for figure in found["figures"]:
        (line,) = [words for words in lines if words and words[0] == figure["name"]]
        assert line[-1] == "yes" if figure["holds"] else line[-1] != "yes"
    assert "agree about every one" in text
    assert text.index("graph ") < text.index("planted ") < text.index("full_vs_limit")


def test_the_models_find_the_planted_persons_and_fixed_rounds_do_not_find_chains(
    bench: tuple[str, dict],
) -> None:
    assert value(bench, "planted_pair_f1") >= 0.975
    assert value(bench, "planted_account_pair_f1") >= 0.965
    assert value(bench, "planted_largest_cluster") <= 400
    assert value(bench, "plain_pair_f1") < 0.5
    assert value(bench, "fixed_rounds_extra_clusters") > 0
    assert value(bench, "chain_wrong_nodes") == 0
    assert value(bench, "chain_rounds") <= 20
    limits = [f for f in bench[1]["figures"] if f["name"].startswith("planted_most_")]
    assert {f["name"].removeprefix("planted_most_") for f in limits} >= {"crm_id", "phone"}
    assert all(f["holds"] for f in limits), limits


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("identity", "--persons", "999"), "--persons must lie between 1,000 and 10,000,000"),
        (("identity", "--persons", "many"), "invalid int value: 'many'"),
        (("everything",), "invalid choice: 'everything'"),
        ((), "the following arguments are required: what"),
        (("identity", "--json", "/nowhere/at/all.json"), "--json: /nowhere/at/all.json cannot be"),
        (("identity", "--json", "/"), "name a file in a folder that exists and is yours"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = run("perennial", "bench", *arguments, data_root=tmp_path / "data", check=False)
    assert done.returncode == 2
    assert sentence in done.stderr and done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize(
    "number, bound, holds",
    [(4, "<= 4", True), (4.1, "<= 4", False), (20, ">= 20", True), (1, None, None)],
)
def test_a_figure_knows_whether_it_keeps_its_bound(
    number: float, bound: str | None, holds: bool | None
) -> None:
    assert Figure("f", number, "x", bound).holds is holds
