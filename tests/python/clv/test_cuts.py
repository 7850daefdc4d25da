"""A cut knows what was known on its day and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_orders import AS_OF, CHANGES, changes, prospects, shop

from orchestration.clv import cuts
from orchestration.clv.cuts import Cut, Facts, day_number
from orchestration.clv.schemas import EMPTY, FILES, write_empty
from orchestration.errors import UserError

NOW = day_number(AS_OF)
BEFORE = [
    ("a", 300, 300, 1, 100, 40),
    ("a", 200, 200, 1, 50, 20),
    ("b", 250, 250, 1, 80, 30),
]
PEOPLE = prospects([("a", "search", 310, None), ("b", "search", 260, None)])
# Each is dated after a cut 100 days ago, though it may be about an order before it.
LEAKS = {
    "order": ("a", 90, 90, 1, 70, 30),
    "first order of somebody new": ("c", 80, 80, 1, 70, 30),
    "refund": ("a", 200, 60, 0, -50, -25),
    "cancellation": ("b", 250, 50, -1, -80, -30),
    "late payment": ("b", 240, 90, 1, 60, 25),
    "price adjustment": ("a", 300, 40, 0, 0, -10),
    "refund without an order": ("a", None, 60, 0, -10, -10),
    "order booked ahead": ("a", 95, 120, 1, 70, 30),
}


def seen(rows: list[tuple], days_ago: int) -> dict[str, list]:
    cut = Facts(changes(rows), PEOPLE, AS_OF).cut(NOW - days_ago)
    return {
        name: getattr(cut, name).tolist()
        for name in ("k", "x", "t_x", "T", "n", "value", "margin", "window_orders", "window_value")
    }


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_nothing_after_the_cut_is_in_it(leak: tuple) -> None:
    assert seen([*BEFORE, leak], 100) == seen(BEFORE, 100)
    assert seen([*BEFORE, leak], 0) != seen(BEFORE, 0)


# What a cut would be that forgets to look at the days.
BLIND = {"known <= {known}": "true", "order_day <= {until}": "true"}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_cut_that_leaks_is_caught(leak: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_STATE", "_WITHOUT_ORDER"):
        text = getattr(cuts, name)
        for found, instead in BLIND.items():
            text = text.replace(found, instead)
        assert text != getattr(cuts, name)
        monkeypatch.setattr(cuts, name, text)
    assert seen([*BEFORE, leak], 100) != seen(BEFORE, 100)


def test_a_cut_counts_order_days_and_nets_what_is_known() -> None:
    cut = seen([*BEFORE, LEAKS["refund"], LEAKS["cancellation"]], 55)
    assert cut["k"] == [0, 1]
    assert (cut["x"], cut["t_x"], cut["T"]) == ([1, 0], [100, 0], [245, 195])
    assert (cut["value"], cut["margin"]) == ([100.0, 80.0], [35.0, 30.0])
    assert seen([*BEFORE, LEAKS["cancellation"]], 0)["k"] == [0]


def test_margin_of_a_day_is_known_wholly_or_not() -> None:
    rows = [*BEFORE, ("a", 100, 100, 1, 60, None)]
    cut = Facts(changes(rows), PEOPLE, AS_OF).cut(NOW)
    assert cut.margin_days.tolist() == [2, 1]
    assert cut.margin_value.tolist() == [150.0, 80.0]


def test_refunds_without_an_order_lower_value() -> None:
    rows = [
        *BEFORE,
        ("a", None, 150, 0, -30, -30),
        ("d", None, 150, 0, -5, -5),
        ("a", None, 50, 0, -8, -8),
    ]
    facts = Facts(changes(rows), PEOPLE, AS_OF)
    cut = facts.cut(NOW - 100)
    assert (cut.n.tolist(), cut.value.tolist(), cut.margin.tolist()) == (
        [2, 1],
        [120, 80],
        [30, 30],
    )
    then = facts.outcome(cut, 100)
    assert (then.orders.tolist(), then.value.tolist()) == ([0, 0], [-8, 0])
    assert np.isinf(then.first).all()


def test_unknown_value_is_not_zero() -> None:
    rows = [*BEFORE, ("a", 150, 150, 1, None, None), ("c", 150, 150, 1, None, None)]
    cut = Facts(changes(rows), PEOPLE, AS_OF).cut(NOW)
    assert (cut.n.tolist(), cut.value_days.tolist()) == ([3, 1, 1], [2, 1, 0])
    assert cut.z.tolist() == [75, 80, 0]


def test_outcome_is_what_was_known_at_its_end() -> None:
    rows = [*BEFORE, LEAKS["order"], ("a", 90, 20, 0, -30, 0), ("b", 10, 10, 1, 5, 1)]
    facts = Facts(changes(rows), PEOPLE, AS_OF)
    cut = facts.cut(NOW - 100)
    short, whole = facts.outcome(cut, 60), facts.outcome(cut, 100)
    assert (short.orders.tolist(), short.value.tolist()) == ([1, 0], [70, 0])
    assert (whole.orders.tolist(), whole.value.tolist()) == ([1, 1], [40, 5])
    assert whole.first.tolist() == [10, 90]


def test_statistics_stand_for_all_customers() -> None:
    cut = Facts(*shop(400), AS_OF).cut(NOW)
    rows = cut.statistics
    assert rows.weight.sum() == len(cut) == 400
    for name in ("x", "t_x", "T"):
        assert getattr(rows, name)[cut.row].tolist() == getattr(cut, name).tolist()
    assert len(cut.sample) == len(rows)


def test_many_rows_are_sampled_evenly() -> None:
    size = 50_000
    rng = np.random.default_rng(1)
    x = rng.poisson(2, size)
    t_x = np.where(x > 0, rng.integers(1, 700, size), 0)
    numbers = {name: np.zeros(size, np.int64) for name in Cut.__dataclass_fields__}
    cut = Cut(
        **numbers
        | {"on": 0, "window": 1, "x": x, "t_x": t_x, "T": t_x + rng.integers(0, 700, size)}
    )
    whole, sample = cut.statistics, cut.sample
    assert len(whole) > 20_000 >= len(sample)
    for name in ("x", "t_x", "T"):
        means = [rows.weight @ getattr(rows, name) / rows.weight.sum() for rows in (whole, sample)]
        assert means[1] == pytest.approx(means[0], rel=0.01)


def test_content_hash_knows_rows_and_not_their_order() -> None:
    one = Facts(changes(BEFORE), PEOPLE, AS_OF).content_hash()
    assert Facts(changes(BEFORE[::-1]), PEOPLE, AS_OF).content_hash() == one
    assert Facts(changes([*BEFORE, LEAKS["order"]]), PEOPLE, AS_OF).content_hash() != one
    assert Facts(changes([*BEFORE, ("a", -5, -5, 1, 9, 9)]), PEOPLE, AS_OF).content_hash() == one


def test_missing_columns_are_named() -> None:
    with pytest.raises(UserError, match="day_changes lacks known_on"):
        Facts(CHANGES.remove(2).empty_table(), PEOPLE, AS_OF)


def test_a_customer_twice_is_refused() -> None:
    with pytest.raises(UserError, match="a customer twice"):
        Facts(changes(BEFORE), pa.concat_tables([PEOPLE, PEOPLE]), AS_OF)


def test_empty_files_have_all_columns(tmp_path: Path) -> None:
    write_empty(tmp_path)
    files = {path.stem: path for path in (tmp_path / EMPTY).iterdir()}
    written = {name: path.stat().st_mtime_ns for name, path in files.items()}
    assert {name: pq.read_schema(path) for name, path in files.items()} == FILES
    assert all(pq.read_table(path).num_rows == 0 for path in files.values())
    pq.write_table(pa.table({"old": [1]}), files["monitor"])
    write_empty(tmp_path)
    assert pq.read_schema(files["monitor"]) == FILES["monitor"]
    assert files["readiness"].stat().st_mtime_ns == written["readiness"]
