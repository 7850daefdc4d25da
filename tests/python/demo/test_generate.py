"""One seed, one set of bytes; and what the command refuses."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from demo_reader import Demo, make

from orchestration.demo import generate, prng, truth
from orchestration.demo.prng import Draws
from orchestration.errors import UserError


def digests(root: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file of a data root."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(
    small: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = duckdb.connect

    def single_threaded() -> duckdb.DuckDBPyConnection:
        con = connect()
        con.execute("set threads = 1")
        return con

    monkeypatch.setattr(duckdb, "connect", single_threaded)
    assert digests(make(tmp_path).root) == digests(small.root)


def test_another_seed_gives_other_people(small: Demo, tmp_path: Path) -> None:
    mine, others = digests(small.root), digests(make(tmp_path, seed=8).root)
    changed = {path for path in mine if mine[path] != others.get(path)}
    assert len(changed) > 0.9 * len(mine)


def test_the_end_moves_everything(small: Demo, tmp_path: Path) -> None:
    earlier = make(tmp_path, customers=100, end=date(2025, 12, 31))
    expected = earlier.expectations()
    assert (expected["first_day"], expected["last_day"]) == ("2024-01-02", "2025-12-31")
    days = [row["ordered_on"] for row in earlier.truth("orders")]
    assert date(2024, 1, 2) <= min(days) <= max(days) <= date(2025, 12, 31)


@pytest.mark.parametrize("customers", [99, 1_000_001, 0, -5])
def test_too_few_or_too_many_customers_are_refused(customers: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--customers must lie between 100 and 1,000,000"):
        generate(tmp_path, customers=customers)
    assert not list(tmp_path.iterdir())


def test_an_end_that_landing_would_quarantine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--end must lie between"):
        generate(tmp_path, end=date.today() + timedelta(days=2))
    with pytest.raises(UserError, match="--end must lie between"):
        generate(tmp_path, end=date(2001, 12, 31))


def test_a_landing_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "landing" / "pos").mkdir(parents=True)
    with pytest.raises(UserError, match="already holds files"):
        generate(tmp_path, customers=100)
    assert not (tmp_path / "vault").exists()


def test_an_empty_landing_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    summary = generate(tmp_path, customers=100)
    assert summary.records > 1000
    assert {path.name for path in tmp_path.iterdir()} == {"landing", "truth", "vault"}


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(truth, "write", broken)
    with pytest.raises(OSError, match="disk full"):
        generate(tmp_path, customers=100)
    assert not list(tmp_path.iterdir())


def test_faults_add_files_to_refuse_and_change_no_other(small: Demo, tmp_path: Path) -> None:
    faulty = make(tmp_path, faults=True)
    mine, others = digests(small.root / "landing"), digests(faulty.root / "landing")
    assert {path: others[path] for path in mine} == mine
    refused = [file for file in faulty.truth("files") if file["status"] == "refused"]
    assert len(refused) == 11
    assert all(faulty.path(file).exists() for file in refused)
    assert all(file["reason"] for file in refused)
    assert len({file["reason"] for file in refused}) == 11


def test_progress_says_what_is_being_written(tmp_path: Path) -> None:
    said: list[str] = []
    generate(tmp_path, customers=100, progress=said.append)
    assert said[0].startswith("planting 100 persons")
    assert {f"writing {channel}" for channel in ("shopify", "pos", "direct")} <= set(said)


def test_draws_are_uniform_unrelated_and_never_change() -> None:
    draws = Draws(42)
    con = duckdb.connect()
    con.execute(prng.MACROS)
    one, other = draws.unit("one", "range"), draws.unit("other", "range")
    count, mean, spread, related, neighbours, distinct = con.execute(
        f"""
        select count(*), avg(a), var_pop(a), corr(a, b), corr(a, next), count(distinct code)
        from (
            select {one} as a, {other} as b, lead({one}) over (order by range) as next,
                {draws.bits("one", "range")} as code
            from range(200000)
        )
        """
    ).fetchone()
    assert distinct == count
    assert abs(mean - 1 / 2) < 0.003
    assert abs(spread - 1 / 12) < 0.002
    assert abs(related) < 0.01
    assert abs(neighbours) < 0.01
    (codes,) = con.execute(f"select list({draws.bits('one', 'range')}) from range(3)").fetchone()
    assert codes == [2339203890, 2797614922, 2532254844]


def test_permutations_repeat_nothing() -> None:
    con = duckdb.connect()
    (distinct,) = con.execute(
        f"select count(distinct {Draws(1).permutation('phone', 'range', 6)}) from range(1000000)"
    ).fetchone()
    assert distinct == 1_000_000
