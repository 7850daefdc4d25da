"""Rows of the seed alert_rule that cannot work stop the build with one sentence that names them."""

from __future__ import annotations

import csv

import pytest
from checkout import PROJECT
from rendered import RefusedError, macros

Rows = list[dict[str, str | None]]


def _shipped() -> dict[str, Rows]:
    found = {}
    for name in ("alert_rule", "business_profile"):
        with (PROJECT / "seeds" / f"{name}.csv").open(newline="") as file:
            found[name] = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    return found


def _rules(seeds: dict[str, Rows]) -> dict[tuple[str, str], dict[str, str | None]]:
    given = {
        "setting": lambda name: {"default_business_type": "ecommerce"}[name],
        "seed_rows": seeds.get,
    }
    paths = ("hooks/settings.sql", "lifecycle/rulebook.sql", "retention/alerts.sql")
    book = macros(paths, given)["alert_rulebook"]()
    return {(r["alert_code"], r["business_type"]): r for r in book["rules"]}  # type: ignore[index]


def test_the_shipped_rules_resolve_for_every_business_type() -> None:
    rules = _rules(_shipped())
    assert len(rules) == 4 * 11
    warned = {kind: r["value"] for (code, kind), r in rules.items() if code == "churn_warning"}
    assert (warned["ecommerce"], warned["food"], warned["luxury"]) == ("90", "60", "270")
    assert rules["churn_warning", "saas"]["feature"] == "sub_days_to_end"
    assert rules["churn_pre_warning", "med_aesthetics"]["cycle_ratio"] == "1.2"
    assert rules["activity_drop", "food"]["least"] == "4"


def test_one_number_changes_only_the_business_type_that_it_names() -> None:
    before, seeds = _rules(_shipped()), _shipped()
    row = next(
        r
        for r in seeds["business_profile"]
        if (r["business_type"], r["param_key"]) == ("food", "warn_days")
    )
    row["value"] = "61"
    changed = {key for key, rule in _rules(seeds).items() if rule != before[key]}
    assert changed == {("churn_warning", "food"), ("churn_pre_warning", "food")}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"feature": "mood"}, "looks at 'mood', which does not exist"),
        ({"param_key": "worn_days"}, "uses the parameter 'worn_days'"),
        ({"param_key": "fall_ratio"}, "a whole number of days, not with '0.5'"),
        ({"severity": "loud"}, "severity must be low, medium or high"),
        ({"ratio": "1.5"}, "ratio must be above 0"),
        ({"business_type": "pets"}, "row churn_warning, pets: the business type has no rows"),
        ({"business_type": "saas"}, "row churn_warning, saas: the alert is given twice"),
        ({"alert_code": "Churn!"}, "lower-case words"),
    ],
)
def test_a_row_that_cannot_work_is_named(change: dict[str, str], sentence: str) -> None:
    seeds = _shipped()
    seeds["alert_rule"][0] |= change
    with pytest.raises(RefusedError, match=sentence):
        _rules(seeds)


def test_the_guard_needs_its_numbers() -> None:
    seeds = _shipped()
    seeds["business_profile"] = [
        r for r in seeds["business_profile"] if r["param_key"] != "outage_day_ratio"
    ]
    with pytest.raises(RefusedError, match="outage_day_ratio with a number from 0 to 1"):
        _rules(seeds)
