"""Panels of predictions: their figures, and what they say when there is little or nothing to go by."""

from __future__ import annotations

from pathlib import Path

import pytest
from published_file import TABLES, write_published
from report_page import drawn, section, specs

from orchestration.runtime.paths import DataPaths
from orchestration.serving.page import render
from orchestration.serving.panel import Published
from orchestration.serving.prediction_panels import all_panels
from orchestration.serving.reading import open_published
from orchestration.serving.status import status_screen

PANELS = ("predicted-value", "calibration", "champion", "realised")
NOT_ENOUGH = (
    "update clv_model_run set is_champion = false, status = 'no_repeat_buyers' where model_run_id = 'june'",
    "update clv_model_readiness set actual_value = 120, is_met = false where gate = 'buyers'",
    "update clv_segment set predicted_low_365d = null, predicted_high_365d = null",
    "delete from clv_backtest_metric where model_run_id = 'june'",
    "delete from clv_backtest_decile",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report"))


def written(root: Path, *changes: str) -> str:
    """These panels of the small published file, after these statements, as a page that cannot draw."""
    paths = DataPaths(root)
    write_published(paths.published, (*TABLES, *changes))
    with open_published(paths.published) as connection:
        panels = all_panels(Published.of(connection))
    return render("", "", [], panels, "2026-06-30", "CNY", "", "")


def layers(page: str, key: str) -> list[list[dict]]:
    """The rows of each layer of a chart."""
    spec = specs(page)[key]
    own = [part["data"]["values"] for part in spec["layer"] if "data" in part]
    return [*own, spec["data"]["values"]] if "data" in spec else own


def flag(page: str, key: str) -> str:
    """The sentence that nobody should miss; empty without one."""
    _, _, rest = section(page, key).partition('<p class="flag" role="note">')
    return rest.partition("</p>")[0]


def test_tiers_too_small_to_be_shown_alone_are_one_bar(page: str) -> None:
    bars, band = layers(page, "predicted-value-0")[:2]
    assert [(row["name"], row["customers"], row["value"]) for row in bars] == [
        ("Platinum + gold", 40, 4000), ("Silver 5-10%", 60, 6000), ("Bronze 10-25%", 150, 7500),
        ("Medium 25-50%", 250, 5000), ("Low 50-100%", 500, 2000),
    ]  # fmt: skip
    for row in band:
        assert row["low"] == pytest.approx(row["value"] / 1.2)
        assert row["high"] == pytest.approx(row["value"] * 1.25)
    assert [row["value"] for row in drawn(page, "predicted-value-1")] == [100, 100, 50, 20, 4]
    text = section(page, "predicted-value")
    assert (
        "1,000 buyers are expected to bring CNY 24,500 in the 365 days after 2026-06-30, or CNY 20,417 to CNY 30,625 if "
        "MBG/NBD errs as in 3 tests on the past. Platinum + gold: 40 of 1,000 buyers and 16.3% of their value. 40 people who have not "
        "bought yet add CNY 100, which is not in the bars." in text
    )
    assert (
        "as the total of all buyers was in backtests over 365 days, 0.83 to 1.25 of the prediction. One tier can be further off.<"
        in text
    )


def test_a_rest_of_too_few_people_is_not_told(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "update clv_segment set customer_count = customer_count - 11 where segment_type = 'all_buyers'",
    )
    assert drawn(page, "predicted-value-0")[0]["name"] == "Silver 5-10%"
    assert "Platinum +" not in page


def test_a_shorter_backtest_gives_a_band_that_says_so(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "update clv_segment set predicted_low_365d = null, predicted_high_365d = null",
        "update clv_backtest_metric set horizon_days = 180",
    )
    silver = layers(page, "predicted-value-0")[1][1]
    assert (silver["low"], silver["high"]) == (pytest.approx(5000), pytest.approx(7500))
    assert (
        "One tier can be further off. History is too short to test a whole year, so the range may be wider."
        in section(page, "predicted-value")
    )


def test_value_is_named_after_what_the_run_knew(page: str, tmp_path: Path) -> None:
    assert "Expected contribution margin of buyers" in section(page, "predicted-value")
    revenue = written(
        tmp_path, "update clv_model_run set config = replace(config, 'contribution', 'revenue')"
    )
    assert "Expected net sales of buyers" in section(revenue, "predicted-value")


def test_calibration_is_of_the_model_in_use_at_the_last_cuts(page: str) -> None:
    diagonal, points = layers(page, "calibration-0")
    assert all(row["x"] == row["y"] for row in diagonal)
    assert len(points) == 20
    assert {row["cut"] for row in points} == {"2025-06-30", "2024-12-31"}
    best = next(row for row in points if row["tenth"] == 1)
    assert (best["predicted"], best["actual"]) == (4, pytest.approx(3.6))
    bars = drawn(page, "calibration-1")
    assert [(row["place"], row["kind"], row["amount"]) for row in bars[:2]] == [
        ("1", "Predicted", 800), ("1", "Actual", 700),
    ]  # fmt: skip
    assert (
        "a customer of the highest tenth was expected to order 4.0 times and ordered 3.6 times; of the lowest, 0.4 and 0.5 times."
        in section(page, "calibration")
    )


def test_models_are_compared_on_the_tests_that_all_have(page: str) -> None:
    tried = {row["name"]: row for row in drawn(page, "champion-0")}
    assert list(tried) == ["MBG/NBD", "Pareto/NBD", "Own rate so far"]
    assert tried["MBG/NBD"]["error"] == pytest.approx((100 / 200 + 60 / 100) / 2)
    assert tried["Pareto/NBD"]["error"] == pytest.approx((90 / 200 + 70 / 100) / 2)
    assert tried["MBG/NBD"]["bias"] == pytest.approx(3100 / 3000 - 1, abs=1e-6)
    assert [name for name, row in tried.items() if row["is_used"]] == ["MBG/NBD"]
    assert (
        "MBG/NBD predicts in the run of 2026-06-30: it had the lowest error of those whose total is off by at most 20%. In 2 "
        "tests its error is 55% of the rule of thumb&#x27;s and its total 3.3% too high."
        in section(page, "champion")
    )


def test_the_history_has_the_last_run_of_each_day(page: str) -> None:
    (errors,) = layers(page, "champion-1")
    assert [(row["run"], row["model"]) for row in errors] == [
        ("2026-04-30", "Pareto/NBD"), ("2026-05-31", "Pareto/NBD"), ("2026-06-30", "MBG/NBD"),
    ]  # fmt: skip
    totals = layers(page, "champion-2")
    assert [rows[0]["limit"] for rows in totals[:3]] == [0, 0.2, -0.2]
    assert [row["rate"] for row in totals[-1]] == [
        pytest.approx(share, abs=1e-6) for share in (3850 / 3000 - 1, 3850 / 3000 - 1, 3100 / 3000 - 1)
    ]  # fmt: skip
    assert "mbg_nbd: no churn identified" in section(page, "champion")


def test_one_run_alone_has_no_history_but_makes_sense(tmp_path: Path) -> None:
    page = written(tmp_path, "delete from clv_model_run where model_run_id <> 'june'")
    assert [key for key in specs(page) if key.startswith("champion")] == ["champion-0"]
    assert "It is the only run with a backtest so far" in section(page, "champion")


def test_realised_totals_are_those_of_each_cut(page: str) -> None:
    bars = [(row["place"], row["kind"], row["amount"]) for row in drawn(page, "realised-0")]
    assert bars == [
        ("2024-06-30", "Predicted", 800), ("2024-06-30", "Actual", 1000), ("2024-12-31", "Predicted", 1900),
        ("2024-12-31", "Actual", 2000), ("2025-06-30", "Predicted", 1200), ("2025-06-30", "Actual", 1000),
    ]  # fmt: skip
    assert drawn(page, "realised-1")[0]["amount"] == 80
    text = section(page, "realised")
    assert (
        "In 3 tests, 365 days ahead, MBG/NBD predicted net sales 2.5% too low in all, between -20% and +20% in single ones. "
        "Since the run of 2026-05-31 customers placed 93% of the orders that it expected." in text
    )
    limit, points, _ = layers(page, "realised-2")
    assert limit == [{"limit": 1}]
    assert points == [
        {"run": "2026-05-31", "model": "Pareto/NBD", "rate": 1.08}, {"run": "2026-06-30", "model": "Pareto/NBD", "rate": 0.93},
    ]  # fmt: skip
    assert flag(page, "realised") == (
        "Beyond its limit in the run of 2026-06-30: shift in the value of an order 0.31 (limit 0.25)."
    )


def test_good_predictions_have_no_flag(page: str) -> None:
    assert [flag(page, key) for key in PANELS[:3]] == ["", "", ""]


def test_old_predictions_are_flagged_with_their_day(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "update clv_prediction set predicted_on = date '2026-05-31', model_run_id = 'may'",
        "delete from clv_model_run where as_of = date '2026-06-30'",
        "update clv_model_run set is_current = model_run_id = 'may'",
    )
    told = "Out of date: these predictions are of 2026-05-31, 30 days before 2026-06-30. "
    assert all(flag(page, key).startswith(told) for key in PANELS)
    assert "in the 365 days after 2026-05-31" in section(page, "predicted-value")
    assert "Pareto/NBD predicts in the run of 2026-05-31: it is kept" in section(page, "champion")
    line = next(
        line for line in status_screen(DataPaths(tmp_path)).splitlines() if "Predicted" in line
    )
    assert line == (
        "Predicted   as of 2026-05-31 by run may, champion pareto_nbd; OLD: 30 days older than the version"
    )


def test_models_that_failed_are_flagged_beside_the_last_predictions(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "insert into clv_model_run by name (select model_run_id || '-failed' as model_run_id, as_of, 'failed' as status, "
        "false as is_champion, false as is_current, submodel from clv_model_run where model_run_id = 'june' limit 1)",
    )
    assert flag(page, "predicted-value") == "The models failed on the facts of 2026-06-30."
    assert "; OLD: the models failed on the facts of 2026-06-30" in status_screen(
        DataPaths(tmp_path)
    )


def test_the_mean_of_others_is_flagged_and_has_no_band(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "update clv_prediction set prediction_basis = 'segment_prior', model_name = 'segment_rate'",
        *NOT_ENOUGH,
    )
    assert flag(page, "predicted-value") == (
        "Not enough to go by on 2026-06-30 for a model of single customers: 120 of the required 500 buyers. Whoever has a value "
        "has the mean of people like them. Fits without a full answer: MBG/NBD: no repeat buyers; Pareto/NBD: no repeat buyers."
    )
    text = section(page, "predicted-value")
    assert "There is no backtest yet" in text and "So there is no band." in text
    assert all("low" not in row or row["low"] is None for row in drawn(page, "predicted-value-0"))
    assert "In the run of 2026-06-30 no model predicts." in section(page, "champion")
    assert "No data. There is no backtest yet" in section(page, "calibration")
    assert "No data. There is no backtest yet" in section(page, "realised")


def test_insufficient_history_is_a_sentence_and_no_number(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "update clv_prediction set prediction_basis = 'insufficient_history', predicted_value_365d = null",
        "update customer_clv set predicted_value_365d = null",
        *NOT_ENOUGH,
        "update clv_segment set predicted_value_365d = null",
    )
    assert flag(page, "predicted-value").startswith(
        "Not enough to go by on 2026-06-30: 120 of the required 500 buyers. Fits"
    )
    assert "No data. No buyer has a predicted value." in section(page, "predicted-value")


def test_contracts_alone_are_a_model_too(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        "update clv_prediction set prediction_basis = 'contractual', model_name = 'shifted_beta_geometric'",
        "update clv_model_run set is_champion = false where model_run_id = 'june'",
        "delete from clv_backtest_metric where model_name <> 'mbg_nbd'",
        "update clv_backtest_metric set model_name = 'shifted_beta_geometric'",
        "update clv_backtest_decile set model_name = 'shifted_beta_geometric' where model_name = 'mbg_nbd'",
    )
    assert flag(page, "predicted-value") == ""
    assert "if Renewals errs as in 3 tests" in section(page, "predicted-value")
    assert "Renewals from 2025-06-30 on" in section(page, "calibration")
    assert "have contracts, for which no other model is tried" in section(page, "champion")
    assert "Renewals predicted net sales 2.5% too low" in section(page, "realised")


def test_subscribers_without_an_order_are_no_people_who_have_not_bought(
    page: str, tmp_path: Path
) -> None:
    assert "40 people who have not bought yet" in section(page, "predicted-value")
    subscribers = written(
        tmp_path,
        "update customer_clv set prediction_basis = 'contractual' where order_count = 0",
    )
    assert "who have not bought yet" not in section(subscribers, "predicted-value")


def test_without_predictions_every_panel_says_so(tmp_path: Path) -> None:
    page = written(tmp_path, "delete from clv_prediction")
    for key in PANELS:
        assert "No data. No prediction has been made yet" in section(page, key)
