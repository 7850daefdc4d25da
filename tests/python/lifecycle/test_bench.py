"""The benchmark of the lifecycle: a small run agrees with itself, and a spoiled one is found out."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import pytest
from checkout import run

from orchestration.bench import lifecycle
from orchestration.errors import UserError


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, dict]:
    """A scratch root with a thousand customers, and what models and spine say of themselves."""
    root = tmp_path_factory.mktemp("bench")
    facts = lifecycle.write_facts(1_000, root)
    assert 9_000 < facts["fct_customer_day"] < 13_000
    assert 1_700 < facts["fct_order"] < 2_300
    return root, lifecycle.run_models(root), lifecycle.run_spine(1_000, root)


def test_the_spine_agrees_with_the_intervals(measured: tuple[Path, dict, dict]) -> None:
    _, models, spine = measured
    assert spine["differing"] == 0
    assert spine["rows"] == spine["days"] * 5
    assert 700_000 < spine["days"] < 731_000
    assert models["intervals"] > 20_000
    figures = {figure.name: figure for figure in lifecycle._figures(models, spine)}
    assert figures["differing_rows"].holds
    assert figures["daily_spine_speedup"].bound == ">= 8"
    assert figures["row_ratio"].value > 50


@pytest.mark.parametrize(
    "spoil",
    [
        "update {t} set clause_id = 'lost.2' where {one}",
        "update {t} set valid_from = valid_from + 1 where {one}",
        "delete from {t} where {one}",
        "update {t} set is_lost = not is_lost where {one}",
    ],
)
def test_a_spoiled_interval_is_found(measured: tuple[Path, dict, dict], spoil: str) -> None:
    root, _, _ = measured
    table = "marts.customer_lifecycle_intervals"
    with duckdb.connect(str(root / "warehouse.duckdb")) as con:
        one = (
            "model_code = 'maturity5' and stage_code = 'growth' and valid_to > valid_from + 1 and"
            f" customer_id = (select min(customer_id) from {table} where stage_code = 'growth'"
            " and valid_to > valid_from + 1)"
        )
        con.execute(f"create or replace table kept as from {table}")
        con.execute(spoil.format(t=table, one=one))
    try:
        assert lifecycle.run_spine(1_000, root)["differing"] > 0
    finally:
        with duckdb.connect(str(root / "warehouse.duckdb")) as con:
            con.execute(f"create or replace table {table} as from kept")


def test_a_number_of_customers_that_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="--customers must lie between 1,000 and 1,000,000"):
        lifecycle.bench_lifecycle(10, None, io.StringIO())


def test_an_option_of_the_other_benchmark_is_refused(tmp_path: Path) -> None:
    done = run("perennial", "bench", "lifecycle", "--persons", "9", data_root=tmp_path, check=False)
    assert done.returncode == 2
    assert "--persons is not for `perennial bench lifecycle`" in done.stderr + done.stdout
