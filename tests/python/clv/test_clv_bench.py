"""The benchmark of lifetime value on few customers: shape, and that disagreements are found."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.bench import clv
from orchestration.errors import UserError


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clv, "REPEATS", 1)
        patch.setattr(clv, "OTHERS", {})
        assert clv.bench_clv(10_000, file, out)
    return out.getvalue(), json.loads(file.read_text())


def test_figures(measured: tuple[str, dict]) -> None:
    text, found = measured
    figures = {figure["name"]: figure for figure in found["figures"]}
    bounded = {name: figure["bound"] for name, figure in figures.items() if figure["bound"]}
    assert bounded == {
        "extra_memory": "<= 150",
        "sql_vs_python_scoring": "<= 5",
        "sql_apart_from_python": "<= 1e-08",
    }
    assert figures["sql_apart_from_python"]["holds"]
    assert 1_000 < figures["distinct_rows"]["value"] < 10_000
    assert "likelihood perennial: orders -" in text


def test_disagreements_are_found() -> None:
    def run(totals: list[float]) -> clv.Measured:
        answer = {"totals": totals, "fit_seconds": 1.0, "score_seconds": 1.0, "extra_bytes": 1}
        return clv.Measured(answer, 1)

    contest = clv.Contest(
        {"perennial": [run([1.0])], "sql": [run([1.0])], "lifetimes": [run([1.0])]},
        {name: {"orders": -10.0, "value": -10.0} for name in ("perennial", "lifetimes")},
    )
    assert clv._disagreements(contest) == []
    assert clv._remarks(contest) == ["pymc-marketing took no part, since it is not installed."]
    apart = replace(contest, runs=contest.runs | {"sql": [run([1.001])]})
    assert "SQL and Python" in clv._disagreements(apart)[0]
    better = replace(
        contest, likelihoods=contest.likelihoods | {"lifetimes": {"orders": -9.0, "value": -10.0}}
    )
    assert "falls short" in clv._disagreements(better)[0]
    worse = replace(
        contest, likelihoods=contest.likelihoods | {"lifetimes": {"orders": -11.0, "value": -11.0}}
    )
    assert clv._disagreements(worse) == [] and "stopped short" in clv._remarks(worse)[1]


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--customers"):
        clv.bench_clv(10, None, io.StringIO())
    with pytest.raises(UserError, match="--json"):
        clv.bench_clv(10_000, tmp_path, io.StringIO())
