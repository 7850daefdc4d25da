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


def _value(business_type: str, model: str, feature: str, mode: str = "value") -> str:
    """What the first condition on a feature compares with, as shipped."""
    rules = rulebook(shipped())["models"][model][business_type]["rules"]
    conditions = [c for rule in rules for c in rule["conditions"] if c["feature"] == feature]
    return conditions[0][mode]


def test_a_threshold_may_be_so_many_service_cycles() -> None:
    """Of the product bought last; the days hold where it states none."""
    found = _value("med_aesthetics", "value5", "last_order_days")
    assert found == "coalesce(cast(ceil(1.2 * service_cycle_days) as bigint), 108)"
    assert _value("ecommerce", "value5", "last_order_days") == "90"
    # Days of its own are no days of the warning, so the warning's cycles are not theirs.
    seeds = shipped()
    own = {"business_type": "med_aesthetics", "model_code": "*", "param_key": "sleep_days"}
    seeds["business_profile"].append({**own, "value": "100"})
    rules = rulebook(seeds)["models"]["value5"]["med_aesthetics"]["rules"]
    assert rules[0]["conditions"][-1]["value"] == "100"


def test_the_adaptive_mode_follows_the_customers_own_gaps() -> None:
    def adaptive(business_type: str, model: str, feature: str = "last_order_days") -> str:
        return _value(business_type, model, feature, "adaptive_value")

    limits = "cast(ceil(0.5 * 90) as bigint)), cast(floor(2 * 90) as bigint))"
    assert adaptive("ecommerce", "value5") == (
        "case when expected_gap_days is null then 90 else"
        f" least(greatest(cast(ceil(1.5 * expected_gap_days) as bigint), {limits} end"
    )
    assert adaptive("fmcg", "value5") == (
        f"least(greatest(cast(ceil(1.5 * coalesce(expected_gap_days, 30)) as bigint), {limits}"
    )
    assert "ceil(3.0 * expected_gap_days)" in adaptive("ecommerce", "maturity5")
    assert "ceil(3.0 * expected_gap_days)" in adaptive("ecommerce", "growth5")
    # Other clocks are the same in both modes.
    assert adaptive("content_game", "value5", "last_active_days") == "10"


def test_the_parts_of_a_stage() -> None:
    rules = rulebook(shipped())["models"]["value5"]["food"]["rules"]
    parts = {rule["clause_id"]: rule["sub_stage"] for rule in rules if rule["sub_stage"]}
    assert parts == {"new.1": "new_buyer", "new.2": "new_lead"}


def test_the_rules_are_resolved_once_a_run() -> None:
    seeds, graph = shipped(), {}
    first = rulebook(seeds, graph=graph)
    seeds.clear()
    assert rulebook(seeds, graph=graph) is first


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
    "a part without a name": (
        lambda s: _rows(s, "lifecycle_rule", sub_stage_code="new_buyer")[0].update(
            sub_stage_code="fresh"
        ),
        "row *, value5, new, clause 1: the seed lifecycle_sub_stage has no label for the sub-stage",
    ),
    "a part of an unknown stage": (
        lambda s: s["lifecycle_sub_stage"][0].update(stage_code="newer"),
        "Seed lifecycle_sub_stage, row value5, newer, new_lead: the seed lifecycle_stage has no",
    ),
    "a part that is named in one language": (
        lambda s: s["lifecycle_sub_stage"][1].update(label_zh=None),
        "Seed lifecycle_sub_stage, row value5, new, new_buyer: it needs a label_en and a label_zh.",
    ),
    "two parts of a clause": (
        lambda s: (
            s["lifecycle_sub_stage"][0].update(model_code="growth5", stage_code="retain"),
            _rows(s, "lifecycle_rule", stage_code="retain")[0].update(sub_stage_code="new_lead"),
        ),
        "row *, growth5, retain, clause 1: every row of a clause must have the same sub_stage_code.",
    ),
    "no cycles": (
        lambda s: _rows(s, "business_profile", param_key="churn_cycle_ratio")[0].update(value="0"),
        "the parameter 'churn_cycle_ratio' of business type 'med_aesthetics' must be more than 0",
    ),
    "gaps of no length": (
        lambda s: _rows(s, "business_profile", param_key="sleep_gap_ratio")[0].update(value="-1.5"),
        "the parameter 'sleep_gap_ratio' of business type 'beauty_skincare' must be more than 0",
    ),
    "a floor above the days": (
        lambda s: _rows(s, "business_profile", param_key="gap_floor_ratio")[0].update(value="1.1"),
        "the adaptive mode needs the parameters gap_floor_ratio (at most 1) and gap_ceiling_ratio",
    ),
    "no ceiling": (
        lambda s: s["business_profile"].remove(
            _rows(s, "business_profile", param_key="gap_ceiling_ratio")[0]
        ),
        "they are '0.5' and 'None'.",
    ),
    "equal priorities in a model": (
        lambda s: _rows(s, "lifecycle_rule", model_code="relation5", stage_code="trust")[0].update(
            priority="1"
        ),
        "row *, relation5, trust, clause 1: priority 1 is also the priority of confidant;",
    ),
    "a model without a catch-all": (
        lambda s: s["lifecycle_rule"].remove(
            _rows(s, "lifecycle_rule", model_code="classic5", feature="otherwise")[0]
        ),
        "model classic5, business type *: the last rule in priority, and no other, must be",
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
