"""A whole run: an answer for everybody, with its basis."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from checkout import PROJECT
from planted_orders import AS_OF, WITHOUT_SKLEARN, changes, prospects, shop, subscriptions

from orchestration.clv import contracts, pipeline, priors, schemas
from orchestration.clv.backtest import Backtest, Choice
from orchestration.clv.config import ClvSettings
from orchestration.clv.cuts import Facts, day_number
from orchestration.clv.fitting import Fit
from orchestration.clv.history import history
from orchestration.clv.monitoring import read_former
from orchestration.clv.pipeline import Predictions, predict, refresh, write
from orchestration.clv.schemas import FILES, HORIZONS, kept_runs
from orchestration.clv.scoring import ORDER_MODELS
from orchestration.clv.simulation import draw_orders, draw_values

PLAIN = ClvSettings(use_learning=False)


@pytest.fixture(scope="module")
def whole() -> tuple[pa.Table, pa.Table]:
    return shop(900, 1000)


@pytest.fixture(scope="module")
def run(whole: tuple[pa.Table, pa.Table]) -> Predictions:
    return predict(*whole, AS_OF, PLAIN)


def columns(found: Predictions, basis: str | None = None) -> dict[str, np.ndarray]:
    table = found.tables["prediction"]
    kept = [basis in (None, one) for one in table["prediction_basis"].to_pylist()]
    return {name: np.array(table.filter(kept)[name].to_pylist()) for name in table.column_names}


def statuses(found: Predictions) -> dict[str, str]:
    rows = found.tables["model_run"].to_pylist()
    return {row["submodel"]: row["status"] for row in rows}


def test_everybody_gets_an_answer(run: Predictions) -> None:
    assert {name: table.schema for name, table in run.tables.items()} == FILES
    all_of_them = columns(run)
    assert len(set(all_of_them["customer_id"])) == 1000
    assert len(columns(run, "model")["customer_id"]) == 900
    assert len(columns(run, "channel_prior")["customer_id"]) == 100
    for name in ("p_order", "expected_orders", "expected_revenue", "discounted_margin"):
        grid = np.array([all_of_them[f"{name}_{days}"] for days in HORIZONS], float)
        assert (grid[0] > 0).all() and (np.diff(grid, axis=0) > 0).all(), name


def test_money_adds_up(run: Predictions) -> None:
    found = columns(run)
    margin, revenue = found["expected_margin_365"], found["expected_revenue_365"]
    assert margin == pytest.approx(0.4 * revenue, rel=1e-3)
    # At 10 % a year, a year of orders is worth a little less, by at most a year's discount.
    assert (
        (found["discounted_margin_365"] < margin) & (margin < 1.1 * found["discounted_margin_365"])
    ).all()


def test_buyers_have_intervals_and_churn(run: Predictions) -> None:
    found = columns(run, "model")
    assert ((found["p05_365"] <= found["p50_365"]) & (found["p50_365"] <= found["p95_365"])).all()
    # Of the value, not of net sales.
    assert (found["p95_365"] > found["discounted_margin_365"]).mean() > 0.5
    assert found["p95_365"].sum() < 5 * found["discounted_margin_365"].sum()
    assert set(found["churn_rule"]) == {"p_order"}
    assert np.corrcoef(found["churn_probability"], found["p_order_180"])[0, 1] < -0.95
    assert ((found["p_alive"] > 0) & (found["p_alive"] <= 1)).all()
    likely = found["p_order_365"] >= 0.5
    assert [day is not None for day in found["expected_next_order_on"]] == likely.tolist()
    assert min(day for day in found["expected_next_order_on"] if day) > AS_OF


def test_gates_and_checks_are_rows(run: Predictions) -> None:
    gates = {row["gate"]: row for row in run.tables["readiness"].to_pylist()}
    assert gates["buyers"]["required"] == 500 and gates["buyers"]["actual"] == 900
    assert len(gates) == 4 and all(row["is_met"] for row in gates.values())
    checks = {row["check_name"]: row for row in run.tables["monitor"].to_pylist()}
    assert checks["coverage_90"]["status"] == "ok"
    assert checks["total_band_low"]["value"] < checks["total_band_high"]["value"]


def test_same_input_same_run(
    run: Predictions, whole: tuple[pa.Table, pa.Table], tmp_path: Path
) -> None:
    order = np.random.default_rng(3).permutation(whole[0].num_rows)
    again = predict(whole[0].take(order), whole[1], AS_OF, PLAIN)
    assert again.model_run_id == run.model_run_id
    for name, table in run.tables.items():
        one, other = (
            found.drop_columns(["fitted_at", "answered_at"]) if name == "model_run" else found
            for found in (table, again.tables[name])
        )
        assert one.equals(other), name
    other = predict(*whole, AS_OF, ClvSettings(use_learning=False, annual_discount_rate=0.2))
    assert other.model_run_id != run.model_run_id
    assert write(run, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert not write(again, tmp_path)
    assert refresh(*whole, AS_OF, tmp_path, PLAIN) == (run.model_run_id, False)
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()
    } == before
    assert {path.stem for path in before} == set(FILES)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".parquet"}


def test_an_answer_of_before_holds_again(tmp_path: Path) -> None:
    given = shop(60, 300)

    def answer(as_of: date, rate: float = 0.1) -> tuple[str, bool]:
        return refresh(*given, as_of, tmp_path, ClvSettings(annual_discount_rate=rate))

    first, is_new = answer(AS_OF)
    second, _ = answer(AS_OF, 0.2)
    assert is_new and [run.path.name for run in kept_runs(tmp_path)] == [first, second]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    for _ in "once", "again":
        assert answer(AS_OF) == (first, False)
        assert [run.path.name for run in kept_runs(tmp_path)] == [second, first]
        after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
        assert {path for path in after if after[path] != before.get(path)} <= {
            tmp_path / first / "model_run.parquet"
        }
        again, before = before, after
    assert again == after
    assert read_former(tmp_path, AS_OF + timedelta(days=1)).model_run_id == first


def test_a_run_is_on_disk_and_a_killed_one_is_swept(tmp_path: Path, monkeypatch) -> None:
    given = shop(60, 300)
    synced, sync = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda one: (synced.add(os.fstat(one).st_ino), sync(one)))
    run, _ = refresh(*given, AS_OF, tmp_path)
    written = [tmp_path, tmp_path / run, *(tmp_path / run).iterdir()]
    assert len(written) == 2 + len(FILES)
    assert {path.stat().st_ino for path in written} <= synced
    half = tmp_path / ".2026-01-01-abc.1"
    half.mkdir()
    for left in (half / "model_run.parquet", tmp_path / run / ".model_run.parquet.1.tmp"):
        left.write_text("half")
    assert refresh(*given, AS_OF, tmp_path) == (run, False)
    assert {*tmp_path.rglob("*")} == {*written[1:]}


def test_predictions_of_former_runs_are_given_up(tmp_path: Path, monkeypatch) -> None:
    given = shop(60, 300)
    monkeypatch.setattr(schemas, "KEPT_PREDICTIONS", 2)
    days = [AS_OF - timedelta(days=ago) for ago in (3, 2, 1, 0)]
    runs = [refresh(*given, day, tmp_path)[0] for day in days]

    def kept() -> list[bool]:
        assert refresh(*given, AS_OF, tmp_path) == (runs[-1], False)
        return [(tmp_path / run / schemas.PREDICTION).exists() for run in runs]

    assert kept() == [False, False, True, True]
    assert {path.stem for path in (tmp_path / runs[0]).iterdir()} == {*FILES} - {"prediction"}
    # The former run of one is known by its small files; who is asked again answers again.
    assert read_former(tmp_path, days[2]).orders.num_rows == 0
    assert refresh(*given, days[1], tmp_path) == (runs[1], True)
    assert kept() == [False, True, False, True]
    assert {path.stem for path in (tmp_path / runs[1]).iterdir()} == {*FILES}


def test_a_failed_write_leaves_nothing(run: Predictions, tmp_path: Path) -> None:
    broken = Predictions("x", {**run.tables, "monitor": pa.table({"other": [1]})})
    with pytest.raises(ValueError):
        write(broken, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_relations_are_taken_too(run: Predictions, whole: tuple[pa.Table, pa.Table]) -> None:
    with duckdb.connect() as con:
        given = [con.from_arrow(table) for table in whole]
        assert predict(*given, AS_OF, PLAIN).model_run_id == run.model_run_id


def test_facts_after_as_of_change_nothing(
    run: Predictions, whole: tuple[pa.Table, pa.Table]
) -> None:
    late = changes([("c00001", -3, -3, 1, 100, 40), ("c00002", 5, -1, -1, -9, -3)])
    found = predict(pa.concat_tables([whole[0], late]), whole[1], AS_OF, PLAIN)
    assert found.model_run_id == run.model_run_id
    assert found.tables["prediction"].equals(run.tables["prediction"])


def test_money_scales(whole: tuple[pa.Table, pa.Table], run: Predictions) -> None:
    cents = whole[0]
    for name in ("net_sales_delta", "margin_delta"):
        times = pa.compute.multiply(cents[name], pa.scalar(100, pa.int32()))
        at = cents.column_names.index(name)
        cents = cents.set_column(at, name, times.cast(pa.decimal128(18, 4), safe=False))
    found, usual = columns(predict(cents, whole[1], AS_OF, PLAIN)), columns(run)
    for name in ("expected_revenue_365", "discounted_margin_90"):
        assert found[name] == pytest.approx(100 * usual[name], rel=1e-4)
    assert found["expected_orders_365"] == pytest.approx(usual["expected_orders_365"], rel=1e-9)


def test_unknown_cost_is_no_margin() -> None:
    given, people = shop(600, 400)
    blank = pa.nulls(given.num_rows, pa.decimal128(18, 4))
    found = predict(given.set_column(5, "margin_delta", blank), people, AS_OF, PLAIN)
    table = found.tables["prediction"]
    assert table["expected_margin_365"].null_count == table.num_rows
    sales, value = (
        np.array(table[name]) for name in ("expected_revenue_365", "discounted_margin_365")
    )
    assert ((value < sales) & (sales < 1.1 * value)).all()
    assert '"margin_mode": "revenue"' in found.tables["model_run"]["config"][0].as_py()


def test_few_buyers_get_their_channel_s_rate() -> None:
    found = predict(*shop(300, 500), AS_OF, PLAIN)
    buyers = columns(found, "segment_prior")
    assert len(buyers["customer_id"]) == 300
    assert set(buyers["p_alive"]) == {None} and set(buyers["p95_365"]) == {None}
    assert len(set(buyers["expected_orders_365"])) == 2
    assert not any(row["is_champion"] for row in found.tables["model_run"].to_pylist())
    assert found.tables["backtest_metric"].num_rows == 0


def test_hardly_anybody_gets_no_answer() -> None:
    given = changes([("a", 300, 300, 1, 10, 4), ("b", 9, 9, 1, 10, 4)])
    people = prospects([("a", "search", 300, None), ("d", "search", 20, None)])
    found = columns(predict(given, people, AS_OF, PLAIN))
    assert set(found["prediction_basis"]) == {"insufficient_history"}
    assert found["tenure_days"].tolist() == [300, 9, None]
    assert set(found["expected_orders_365"]) == {None}
    nobody = predict(changes([]), prospects([]), AS_OF, PLAIN)
    assert nobody.tables["prediction"].num_rows == 0
    assert nobody.tables["readiness"].num_rows == 4


def test_no_repeat_business_is_said_and_next_to_nothing() -> None:
    found = predict(*shop(800, 600, repeat=False), AS_OF, PLAIN)
    assert statuses(found)["mbg_nbd"] == statuses(found)["pareto_nbd"] == "no_repeat_buyers"
    buyers = columns(found, "segment_prior")
    assert len(buyers["customer_id"]) == 800
    assert buyers["expected_revenue_365"].max() < 0.1


def test_leaving_that_cannot_be_told_is_missing() -> None:
    given, people = shop(900, 800, death=(500.0, 1e8))
    found = predict(given, people, AS_OF, PLAIN)
    assert "no_churn_identified" in statuses(found).values()
    buyers = columns(found, "model")
    assert set(buyers["p_alive"]) == {None}
    # That nobody orders can be told all the same.
    assert ((buyers["churn_probability"] > 0) & (buyers["churn_probability"] < 1)).all()
    assert (buyers["expected_orders_365"] > 0).all()


@pytest.fixture(scope="module")
def subscribers() -> Predictions:
    """400 who pay 50 every 30 days until they stop; the said words are in `heard`."""
    rng = np.random.default_rng(1)
    rows, people = [], []
    for number in range(400):
        who, stay = f"c{number:04}", 1 - rng.beta(0.7, 3.0)
        came = int(rng.integers(1, 700))
        for day in range(0, came, 30):
            rows.append((who, came - day, came - day, 1, 50, 20))
            if rng.random() > stay:
                break
        people.append((who, "search", came, "contractual"))
    return predict(changes(rows), prospects(people), AS_OF, PLAIN)


def test_contracts_are_renewals(subscribers: Predictions) -> None:
    found = subscribers
    buyers = columns(found)
    assert set(buyers["prediction_basis"]) == {"contractual"} == set(buyers["churn_rule"])
    assert statuses(found)["shifted_beta_geometric"] == "ok"
    assert '"period_days": 30' in found.tables["model_run"]["config"][0].as_py()
    gone = buyers["days_since_last_order"] > 45
    assert (buyers["expected_orders_365"][gone] == 0).all()
    assert (buyers["churn_probability"][gone] == 1).all()
    rest = buyers["expected_orders_365"][~gone]
    assert rest.max() <= 13 and rest.min() > 3
    # Who has stayed long leaves less.
    stayed = buyers["frequency"][~gone].astype(float)
    assert np.corrcoef(stayed, buyers["churn_probability"][~gone].astype(float))[0, 1] < -0.5
    values = buyers["expected_revenue_365"][~gone] / rest
    assert values == pytest.approx(50)
    assert set(buyers["orders_p95_365"][gone]) == {0}
    low, high = (buyers[f"orders_{end}_365"][~gone] for end in ("p05", "p95"))
    assert (low < high).all() and (low < rest).all() and (high > rest).all() and high.max() <= 13
    low, middle, high = (buyers[f"{end}_365"][~gone] for end in ("p05", "p50", "p95"))
    assert (low <= middle).all() and (middle <= high).all()
    assert (high >= buyers["discounted_margin_365"][~gone]).all()


def test_every_documented_rule_of_churn_occurs(run: Predictions, subscribers: Predictions) -> None:
    text = (PROJECT / "models/docs/value.md").read_text()
    told = re.search(r"docs churn_rule %}\n[^:]*: (.*?)\.", text, re.DOTALL)[1]
    found = {
        rule
        for one in (run, subscribers)
        for rule in one.tables["prediction"]["churn_rule"].unique().to_pylist()
    }
    assert {rule.split(",")[0] for rule in told.split("; ")} == found - {None}


def test_subscriptions_are_renewals_where_no_orders_say_so() -> None:
    """A month paid is a renewal: not in the trial, not after the end; two contracts are one sum."""
    rows = [
        ("a", "active", 100, None, None, 50),
        ("b", "ended", 100, None, 45, 50),
        ("c", "active", 100, 70, None, 20),
        ("d", "active", 100, None, None, 50),
        ("d", "active", 50, None, None, 7),
        ("e", "active", 100, None, None, 50),
        ("f", "active", 100, None, None, 50),
        ("g", "trialing", 100, None, None, 50),
        ("h", "active", 100, None, None, None),
    ]
    people = prospects(
        [(who, "search", 100, None if who == "f" else "contractual") for who in "abcdefgh"]
    )
    facts = Facts(changes([("e", 90, 90, 1, 9, 3)]), people, AS_OF, subscriptions(rows))
    cut = facts.cut(day_number(AS_OF), contractual=True)
    found = dict(zip("abcdeh", zip(cut.n.tolist(), cut.value.tolist(), strict=True), strict=True))
    assert [facts.ids[one].as_py() for one in cut.k] == list("abcdeh")
    assert found == {
        "a": (4, 200), "b": (2, 100), "c": (3, 60), "d": (4, 214), "e": (1, 9), "h": (4, 0),
    }  # fmt: skip
    # Known when it falls due and not before.
    assert facts.cut(day_number(AS_OF) - 60, contractual=True).n.tolist()[:2] == [2, 2]
    assert facts.content_hash() != Facts(changes([]), people, AS_OF).content_hash()


def test_subscribers_without_orders_are_predicted() -> None:
    rng = np.random.default_rng(2)
    rows, people = [], []
    for number in range(300):
        who, came = f"s{number:03}", int(rng.integers(1, 800))
        months = rng.geometric(rng.beta(0.8, 5.0))
        end = came - 30.4 * months
        rows.append(
            (who, *(("active", came, None, None) if end <= 0 else ("ended", came, None, end)), 80)
        )
        people.append((who, "search", came, "contractual"))
    found = predict(changes([]), prospects(people), AS_OF, PLAIN, subscriptions=subscriptions(rows))
    buyers = columns(found)
    assert set(buyers["prediction_basis"]) == {"contractual"}
    assert statuses(found)["shifted_beta_geometric"] == "ok"
    left = np.array([row[1] == "ended" and row[4] > 20 for row in rows])
    assert buyers["expected_revenue_365"][~left].astype(float).mean() > 300
    assert (buyers["expected_revenue_365"][left] == 0).mean() > 0.8
    assert {row["model_name"] for row in found.tables["backtest_metric"].to_pylist()} == {
        "shifted_beta_geometric",
        "constant_retention",
    }


def test_renewals_are_backtested(subscribers: Predictions) -> None:
    rows = subscribers.tables["backtest_metric"].to_pylist()
    names = {"shifted_beta_geometric", "constant_retention"}
    assert {row["model_name"] for row in rows} == names
    assert len({row["origin_on"] for row in rows}) == 4

    def mean(model: str, measure: str, metric: str) -> float:
        wanted = (model, measure, metric)
        return float(
            np.mean(
                [
                    row["value"]
                    for row in rows
                    if (row["model_name"], row["measure"], row["metric"]) == wanted
                ]
            )
        )

    for measure in ("orders", "value"):
        assert abs(mean("shifted_beta_geometric", measure, "bias")) < 0.1
    # Who has stayed long leaves less, which one rate for all does not know.
    for measure, metric in (("value", "mae"), ("churn", "brier")):
        assert mean("shifted_beta_geometric", measure, metric) < mean(
            "constant_retention", measure, metric
        )
    for measure in ("orders", "value"):
        assert mean("shifted_beta_geometric", measure, "coverage_90") >= 0.88
    keys = [
        tuple(
            row[name] for name in ("origin_on", "horizon_days", "model_name", "measure", "metric")
        )
        for row in rows
    ]
    assert len(set(keys)) == len(keys)
    deciles = subscribers.tables["backtest_decile"].to_pylist()
    assert {row["model_name"] for row in deciles} == names
    checks = {row["check_name"]: row for row in subscribers.tables["monitor"].to_pylist()}
    assert checks["contract_bias"]["status"] == "ok"


def test_churn_is_asked_over_the_same_days_of_everybody() -> None:
    """Eight months of history end 90 days of a backtest, so that churn is asked 90 days ahead."""
    given, people = shop(100, 240)
    rng = np.random.default_rng(4)
    rows = [
        (f"r{number}", came - day, came - day, 1, 50, 20)
        for number, came in enumerate(rng.integers(1, 240, 200))
        for day in range(0, min(int(came), 30 * int(rng.geometric(0.15))), 30)
    ]
    signed = [(who, "search", 240, "contractual") for who in sorted({row[0] for row in rows})]
    both = pa.concat_tables([given, changes(rows)]), pa.concat_tables([people, prospects(signed)])
    found = predict(*both, AS_OF, PLAIN)
    config = json.loads(found.tables["model_run"]["config"][0].as_py())
    assert config["churn_days"] == 90
    asked = predict(*both, AS_OF, replace(PLAIN, churn_horizon_days=90))
    for basis in ("segment_prior", "contractual"):
        ours, theirs = columns(found, basis), columns(asked, basis)
        assert len(ours["customer_id"]) >= 100
        assert ours["churn_probability"].tolist() == theirs["churn_probability"].tolist(), basis


def test_a_late_renewal_is_not_one_that_was_missed() -> None:
    """Renewals every 30 days; known at day 105 of 90: on time, a little late, missed."""
    rows = [
        (who, 400 - day, 400 - day, 1, 50, 20)
        for who, days in {
            "a": range(0, 400, 30),
            "b": [*range(0, 270, 30), 279, 309, 339, 369],
            "c": range(0, 331, 30),
            "d": range(0, 100, 30),
        }.items()
        for day in days
    ]
    people = prospects([(who, "search", 400, "contractual") for who in "abcd"])
    facts = Facts(changes(rows), people, AS_OF)
    cut = facts.cut(day_number(AS_OF) - 400 + 271, 90, contractual=True)
    stayed, known = contracts._stayed(facts, cut, 30, 90)
    assert stayed.tolist() == [1, 1, 0, 0] and known.tolist() == [True, True, True, False]
    late = facts.cut(day_number(AS_OF) - 60, 90, contractual=True)
    assert not contracts._stayed(facts, late, 30, 90)[1].any()


def test_odd_customers_get_answers_too() -> None:
    """First order today; 2,000 order days; refunds above orders; a shop in which all pay the same."""
    given, people = shop(700, 2500)
    flat = [None if value is None else 30 for value in given["net_sales_delta"].to_pylist()]
    given = given.set_column(4, "net_sales_delta", pa.array(flat, pa.decimal128(18, 4)))
    odd = changes(
        [
            ("today", 0, 0, 1, 30, 12),
            *(("often", day, day, 1, 30, 12) for day in range(2000)),
            ("back", 200, 200, 1, 30, 12),
            ("back", 200, 150, 0, -80, -62),
        ]
    )
    names = [(who, "search", 2000, None) for who in ("today", "often", "back")]
    found = predict(
        pa.concat_tables([given, odd]), pa.concat_tables([people, prospects(names)]), AS_OF, PLAIN
    )
    assert statuses(found)["gamma_gamma"] == "constant_spend"
    table = found.tables["prediction"].to_pylist()
    by_id = {row["customer_id"]: row for row in table}
    for who in ("today", "often", "back"):
        row = by_id[who]
        assert row["prediction_basis"] == "model", who
        orders = [row[f"expected_orders_{days}"] for days in HORIZONS]
        assert np.isfinite(orders).all() and (np.diff(orders) > 0).all()
        assert 0 <= row["discounted_margin_365"] <= row["p95_365"] < 1e6
    assert by_id["today"]["tenure_days"] == 0
    assert by_id["often"]["expected_orders_365"] == pytest.approx(365, rel=0.1)
    assert by_id["back"]["expected_revenue_365"] < by_id["today"]["expected_revenue_365"]


def test_words_for_whoever_waits(whole: tuple[pa.Table, pa.Table]) -> None:
    heard: list[str] = []
    predict(*whole, AS_OF, PLAIN, heard.append)
    assert len(heard) == 6
    assert heard[0].startswith("backtest 1 of 4: the 365 days after 2025-06-30")
    assert "predicts: totals were" in heard[4] and "in 4 backtests" in heard[4]
    assert heard[5] == "1,000 of 1,000 customers have a prediction"
    heard.clear()
    predict(*shop(300, 500), AS_OF, PLAIN, heard.append)
    assert heard[0] == "no model of single customers yet: buyers 300 of 500"


def test_first_orders_come_as_channels_and_ages_say() -> None:
    rng = np.random.default_rng(1)
    size = 20_000
    channel = rng.integers(0, 2, size)
    rates = np.array([0.003, 0.0005])
    age, due = rng.integers(1, 400, size), np.ceil(rng.exponential(1 / rates[channel]))
    ordered = due <= age
    hazards = priors.first_order_hazards(np.minimum(age, due), ordered.astype(float), channel, 3)
    for found, planted in zip(hazards, rates, strict=False):
        assert found[1:3] == pytest.approx(planted, rel=0.15)
    # A channel that nobody has come by is as all are.
    assert hazards[1, 1] < hazards[2, 1] < hazards[0, 1]
    scores = priors.prospect_scores(
        hazards, np.array([0, 1]), np.array([40, 40]), lambda times: 0 * times, 0.0
    )
    assert scores.p_order[-1] == pytest.approx(1 - np.exp(-rates * 365), rel=0.1)
    assert scores.orders == pytest.approx(scores.p_order)
    assert scores.discounted == pytest.approx(scores.orders)
    assert scores.next_days[0] == pytest.approx(np.log(2) / rates[0], rel=0.1)
    assert np.isnan(scores.next_days[1])
    # First seen by an order: nobody has waited.
    assert priors.first_order_hazards(np.zeros(3), np.ones(3), np.zeros(3, int), 1) is None


@pytest.mark.parametrize("name", ["mbg_nbd", "bg_nbd", "pareto_nbd", "nbd"])
def test_draws_have_the_mean_of_the_model(name: str) -> None:
    dropout = {"r": 0.8, "alpha": 40.0, "a": 0.8, "b": 2.4}
    parameters = {
        "pareto_nbd": {"r": 0.8, "alpha": 40.0, "s": 0.6, "beta": 80.0},
        "nbd": {"r": 0.8, "alpha": 40.0},
    }.get(name, dropout)
    submodel = "mbg_nbd" if name == "nbd" else name
    fit = Fit(submodel, "ok", 100, parameters, converged=True)
    given = history([0, 3, 12], [0, 200, 300], [150, 300, 310])
    rng = np.random.default_rng(1)
    orders = draw_orders(fit, given, 365, 200_000, rng)
    expected = ORDER_MODELS[submodel].expected_orders(parameters, given, 365)
    assert orders.mean(axis=1) == pytest.approx(expected, rel=0.02)
    likely = ORDER_MODELS[submodel].p_order(parameters, given, 365)
    assert (orders > 0).mean(axis=1) == pytest.approx(likely, abs=0.005)
    value = Fit("gamma_gamma", "ok", 100, {"p": 6.0, "q": 4.0, "gamma": 40.0})
    n, spent = given.x + 1, np.array([80.0, 200.0, 1300.0])
    drawn = draw_values(value, n, orders, rng).mean(axis=1) * (40 + spent)
    each = 6 * (40 + spent) / (6 * n + 4 - 1)
    assert drawn == pytest.approx(each * expected, rel=0.03)


def test_the_next_run_looks_back(whole: tuple[pa.Table, pa.Table], tmp_path: Path) -> None:
    earlier = AS_OF - timedelta(days=60)
    assert read_former(tmp_path, AS_OF) is None
    first, _ = refresh(*whole, earlier, tmp_path, PLAIN)
    former = read_former(tmp_path, AS_OF)
    assert former.model_run_id == first and former.champion is not None
    assert read_former(tmp_path, earlier) is None
    second, _ = refresh(*whole, AS_OF, tmp_path, PLAIN)
    checks = {
        row["check_name"]: row
        for row in pq.read_table(tmp_path / second / "monitor.parquet").to_pylist()
    }
    assert checks["realised_to_predicted_orders"]["value"] == pytest.approx(1, abs=0.25)
    for name in ("psi_frequency", "psi_value", "drift_mbg_nbd_r", "drift_gamma_gamma_p"):
        assert checks[name]["status"] == "ok", name
    # Somebody else's customers.
    other = predict(*shop(900, 1000, seed=9, rate=(3.0, 20.0)), AS_OF, PLAIN, former=former)
    checks = {row["check_name"]: row for row in other.tables["monitor"].to_pylist()}
    assert checks["drift_mbg_nbd_alpha"]["status"] == "exceeded"
    soon = predict(*whole, earlier + timedelta(days=5), PLAIN, former=former)
    checks = {row["check_name"]: row for row in soon.tables["monitor"].to_pylist()}
    assert checks["realised_to_predicted_orders"]["status"] == "not_ready"


def test_a_merge_moves_history_and_nothing_else(whole: tuple[pa.Table, pa.Table]) -> None:
    now = day_number(AS_OF)
    apart = Facts(*whole, AS_OF).cut(now)
    names = pa.array(
        ["c00002" if one == "c00001" else one for one in whole[0]["customer_id"].to_pylist()]
    )
    rows = whole[0].set_column(0, "customer_id", names)
    joined = Facts(rows, whole[1], AS_OF).cut(now)
    assert joined.value.sum() == pytest.approx(apart.value.sum())
    assert len(joined) == len(apart) - 1
    # The same facts of other people are another run.
    assert Facts(rows, whole[1], AS_OF).content_hash() != Facts(*whole, AS_OF).content_hash()


@pytest.mark.parametrize("champion", ["last_window", "mean_rate", "gradient_boosting", "blend"])
def test_any_champion_answers_all_horizons(
    champion: str, run: Predictions, whole: tuple[pa.Table, pa.Table], monkeypatch
) -> None:
    if champion in ("gradient_boosting", "blend"):
        pytest.importorskip("sklearn", reason=WITHOUT_SKLEARN)
    usual = pipeline.backtest

    def crowned(facts: Facts, *others) -> Backtest:
        return replace(usual(facts, PLAIN, None), choice=Choice(champion, "lowest_error", 0.0))

    monkeypatch.setattr(pipeline, "backtest", crowned)
    found = predict(*whole, AS_OF, ClvSettings(use_learning=True))
    flags = {row["submodel"]: row["is_champion"] for row in found.tables["model_run"].to_pylist()}
    assert [name for name, is_one in flags.items() if is_one] == [champion]
    buyers, others = columns(found, "model"), columns(run, "model")
    assert set(buyers["model_name"]) == {champion}
    assert buyers["p_alive"].tolist() == others["p_alive"].tolist()
    orders = buyers["expected_orders_365"].astype(float)
    assert (orders >= 0).all() and np.isfinite(buyers["expected_margin_30"].astype(float)).all()
    assert np.corrcoef(orders, others["expected_orders_365"].astype(float))[0, 1] > 0.5
    likely = {days: buyers[f"p_order_{days}"].astype(float) for days in HORIZONS}
    for days, some in likely.items():
        assert (some <= buyers[f"expected_orders_{days}"].astype(float) + 1e-9).all(), days
    soon = [day is not None for day in buyers["expected_next_order_on"]]
    assert soon == (likely[365] >= 0.5).tolist()
    if champion == "mean_rate":
        total = buyers["frequency"] + 1
        rate = total / np.maximum(buyers["tenure_days"], 30)
        assert orders == pytest.approx(rate.astype(float) * 365)
