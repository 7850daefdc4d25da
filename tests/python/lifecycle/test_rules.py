"""Rows that cannot work stop the build with one sentence that names them; the shipped ones work."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from checkout import run

from . import golden
from .rulebook import RefusedError, Rows, rulebook, shipped

CATCH_ALL = {"stage_code": "intro", "feature": "otherwise"}


def _rows(seeds: dict[str, Rows], seed: str, **where: str) -> Rows:
    """Rows of a seed with these values; of the rules for every business type where none is named."""
    if seed == "lifecycle_rule":
        where = {"business_type": "*"} | where
    found = [r for r in seeds[seed] if all(r[k] == v for k, v in where.items())]
    assert found, where
    return found


def test_the_shipped_rules_work() -> None:
    book = rulebook(shipped())
    assert list(book["models"]) == ["classic5", "growth5", "maturity5", "relation5", "value5"]
    assert len(book["business_types"]) == 11
    for by_type in book["models"].values():
        assert list(by_type) == book["business_types"]
        for compiled in by_type.values():
            assert compiled["rules"][-1]["conditions"] == [
                {"feature": "otherwise", "op": None, "value": None, "adaptive_value": None}
            ]


def test_a_threshold_resolves_from_the_nearest_row() -> None:
    """By type and model, then by type, then for all types; sleeping is the warning unless given."""
    seeds = shipped()

    def sleep_days(business_type: str) -> str:
        rules = rulebook(seeds)["models"]["value5"][business_type]["rules"]
        return rules[0]["conditions"][-1]["value"]

    assert (sleep_days("food"), sleep_days("luxury")) == ("60", "270")
    for model, value in (("*", "61"), ("value5", "62")):
        seeds["business_profile"].append(
            {
                "business_type": "food",
                "model_code": model,
                "param_key": "sleep_days",
                "value": value,
            }
        )
        assert (sleep_days("food"), sleep_days("luxury")) == (value, "270")


def test_one_row_changes_only_the_business_type_and_model_that_it_names() -> None:
    seeds = shipped()
    before = rulebook(seeds)["models"]
    row = {"business_type": "food", "model_code": "maturity5", "param_key": "dormant_days"}
    seeds["business_profile"].append({**row, "value": "33"})
    after = rulebook(seeds)["models"]
    changed = {
        (model, business_type)
        for model, by_type in after.items()
        for business_type in by_type
        if by_type[business_type] != before[model][business_type]
    }
    assert changed == {("maturity5", "food")}


REFUSED = {
    "unknown feature": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(feature="orders"),
        "row *, maturity5, mature, clause 1 tests the feature 'orders', which does not exist; use",
    ),
    "unknown op": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(op="=>"),
        "row *, maturity5, mature, clause 1 has the op '=>'; use one of: >=, >, <=, <, =, <>.",
    ),
    "parameter without a value": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(param_key="ripe"),
        "clause 1 uses the parameter 'ripe', but the seed business_profile gives it no value",
    ),
    "neither parameter nor literal": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(param_key=None),
        "needs either a param_key or a literal to compare orders_n with, and not both.",
    ),
    "both parameter and literal": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(literal="4"),
        "needs either a param_key or a literal to compare orders_n with, and not both.",
    ),
    "a flag compared with a number": (
        lambda s: _rows(s, "lifecycle_rule", feature="is_registered")[0].update(literal="1"),
        "is_registered must be compared with true or false, not with '1'",
    ),
    "half a day": (
        lambda s: _rows(s, "business_profile", business_type="food", param_key="churn_days")[
            0
        ].update(value="120.5"),
        "last_order_days must be compared with a whole number of days, not with '120.5'",
    ),
    "stage without rank": (
        lambda s: s["lifecycle_stage"].remove(_rows(s, "lifecycle_stage", stage_code="mature")[0]),
        "row *, maturity5, mature, clause 1: the seed lifecycle_stage has no rank for this stage",
    ),
    "two ranks of a stage": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(stage_rank="4"),
        "stage_rank is 4, but 5 in the seed lifecycle_stage; make them equal.",
    ),
    "two stages of a rank": (
        lambda s: _rows(s, "lifecycle_stage", stage_code="mature")[0].update(stage_rank="4"),
        "row maturity5, mature: stage_rank 4 is also the rank of growth",
    ),
    "two stages of a priority": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(priority="4"),
        "priority 4 is also the priority of mature; the first match must be one stage.",
    ),
    "no catch-all": (
        lambda s: s["lifecycle_rule"].remove(_rows(s, "lifecycle_rule", **CATCH_ALL)[0]),
        "must be the catch-all `otherwise`, so that every customer has exactly one stage.",
    ),
    "a catch-all before the last": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(
            feature="otherwise", op=None, param_key=None
        ),
        "must be the catch-all `otherwise`, so that every customer has exactly one stage.",
    ),
    "two versions": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(rule_version="2"),
        "every row of a model and business type must have the same rule_version.",
    ),
    "no number": (
        lambda s: _rows(s, "business_profile", param_key="fall_min")[0].update(value="four"),
        "row *, *, fall_min: the value must be a plain number such as 90 or 0.5, not 'four'.",
    ),
    "a parameter given twice": (
        lambda s: s["business_profile"].append(dict(s["business_profile"][0])),
        "row *, *, active_min: the parameter is given twice; keep one row.",
    ),
    "unknown business type": (
        lambda s: _rows(s, "lifecycle_rule", stage_code="mature")[0].update(business_type="pets"),
        "row pets, maturity5, mature: the business type has no rows in the seed business_profile.",
    ),
    "no model for the overlays": (
        lambda s: s.update(
            lifecycle_rule=[r for r in s["lifecycle_rule"] if r["model_code"] == "value5"]
        ),
        "Seed lifecycle_rule needs the model maturity5 with the stage lost",
    ),
    "seeds not built": (
        lambda s: s.pop("lifecycle_stage"),
        "The lifecycle seeds have not been built; run `dbt seed`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_cannot_work_is_refused_with_a_sentence(name: str) -> None:
    spoil, sentence = REFUSED[name]
    seeds = shipped()
    spoil(seeds)
    with pytest.raises(RefusedError) as refused:
        rulebook(seeds)
    assert sentence in str(refused.value)


def test_an_unknown_default_business_type_is_refused() -> None:
    with pytest.raises(RefusedError, match="default_business_type is 'pets', which has no rows"):
        rulebook(shipped(), default_type="pets")


def test_a_build_stops_with_the_sentence(golden_root: Path) -> None:
    """On the data root of the golden cases, for which dbt has parsed the project already."""
    warehouse = str(golden_root / "warehouse.duckdb")
    kept = golden_root / "kept.duckdb"
    shutil.copy2(warehouse, kept)
    with duckdb.connect(warehouse) as connection:
        connection.execute("update seeds.lifecycle_rule set feature = 'orders' where priority = 3")
    try:
        command = ("dbt", "run", "-s", "int_lifecycle__breakpoints", "--vars", golden.VARS)
        done = run(*command, data_root=golden_root, check=False)
    finally:
        kept.replace(warehouse)
    assert done.returncode == 1
    assert (
        "tests the feature 'orders', which does not exist; use one of: active_days" in done.stdout
    )
