"""Rows that cannot work stop the build with one sentence that names them; a tag is closed by its row."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from checkout import PROJECT, run
from rendered import RefusedError, macros

Rows = list[dict[str, str | None]]
SEEDS = (
    "lifecycle_rule", "lifecycle_stage", "lifecycle_sub_stage", "business_profile", "alert_rule", "tag", "tag_rule",
    "affinity_weight",
)  # fmt: skip
EVENTS = [
    "page_view",
    "product_view",
    "add_to_cart",
    "like",
    "share",
    "comment",
    "appointment_book",
]


@pytest.fixture
def seeds() -> dict[str, Rows]:
    """Rows of the seeds as they are shipped, empty cells as None."""

    def read(name: str) -> Rows:
        with (PROJECT / "seeds" / f"{name}.csv").open(newline="") as file:
            return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]

    return {name: read(name) for name in SEEDS}


def _macros(seeds: dict[str, Rows]) -> dict[str, Callable[..., object]]:
    given = {
        "setting": lambda name: {"default_business_type": "ecommerce"}[name],
        "days_between": lambda a, b: f"days_between({a}, {b})",
        "days_later": lambda day, days: f"days_later({day}, {days})",
        "seed_rows": seeds.get,
        "contract_columns": lambda _: [{"name": "event_name", "accepted_values": EVENTS}],
        "graph": {},
    }
    files = (
        "hooks/settings.sql",
        "lifecycle/rulebook.sql",
        "lifecycle/compile.sql",
        "retention/alerts.sql",
    )
    return macros((*files, "tags/tagbook.sql", "tags/compile.sql"), given)


def _tagbook(seeds: dict[str, Rows]) -> dict:
    return _macros(seeds)["tagbook"]()  # type: ignore[return-value]


def _row(seeds: dict[str, Rows], seed: str, **where: str) -> dict[str, str | None]:
    found = [r for r in seeds[seed] if all(r[k] == v for k, v in where.items())]
    assert found, where
    return found[0]


def test_the_shipped_tags_work(seeds: dict[str, Rows]) -> None:
    book = _tagbook(seeds)
    assert list(book["tags"]) == sorted(row["tag_code"] for row in seeds["tag"])
    assert sorted(book["texts"]) == [
        "affinity_1", "affinity_2", "affinity_3", "churn_warning_alert", "level_code", "relation5_stage",
        "stated_member_day",
    ]  # fmt: skip
    assert book["tags"]["vip_candidate"]["beaten_by"] == ["vip_member"]
    assert _macros(seeds)["affinity_half_life"]() == "60.0"


def test_thresholds_are_those_of_the_business_type(seeds: dict[str, Rows]) -> None:
    by_type = _tagbook(seeds)["tags"]["no_purchase_60d"]["by_type"]
    assert "last_order_days >= 60 " in by_type["ecommerce"]
    assert "last_order_days >= 45 " in by_type["food"]
    assert "last_active_days >= 7 " in by_type["content_game"]
    assert "ceil(1.0 * service_cycle_days) as bigint), 90)" in by_type["med_aesthetics"]
    assert "subs_n = 0 and " in by_type["saas"]


def test_one_threshold_changes_only_its_business_type_and_the_tags_that_ask(
    seeds: dict[str, Rows],
) -> None:
    before = _tagbook(seeds)["tags"]
    _row(seeds, "business_profile", business_type="food", param_key="tag_days")["value"] = "40"
    after = _tagbook(seeds)["tags"]
    changed = {
        (code, business_type)
        for code, tag in after.items()
        for business_type in tag["by_type"]
        if tag["by_type"][business_type] != before[code]["by_type"][business_type]
    }
    assert changed == {("no_purchase_60d", "food")}


REFUSED = {
    "unknown feature": (
        lambda s: _row(s, "tag_rule", tag_value="mid").update(feature="active_days"),
        "Seed tag_rule, row *, activity_level, mid, clause 1 tests the feature 'active_days', which does not exist; use",
    ),
    "parameter without a value": (
        lambda s: _row(s, "tag_rule", tag_value="mid").update(param_key="ripe"),
        "row *, activity_level, mid, clause 1 uses the parameter 'ripe', but the seed business_profile gives it no value",
    ),
    "unknown op": (
        lambda s: _row(s, "tag_rule", tag_value="mid").update(op="=>"),
        "row *, activity_level, mid, clause 1 has the op '=>'; use one of: >=, >, <=, <, =, <>.",
    ),
    "neither parameter nor literal": (
        lambda s: _row(s, "tag_rule", tag_value="low").update(literal=None),
        "row *, activity_level, low, clause 1 needs either a param_key or a literal",
    ),
    "half a day": (
        lambda s: _row(s, "business_profile", business_type="food", param_key="tag_days").update(value="40.5"),
        "last_order_days must be compared with a whole number of days, not with '40.5' (business type 'food').",
    ),
    "a text compared with more or less": (
        lambda s: _row(s, "tag_rule", tag_value="fan").update(op=">="),
        "row *, relation_tier, fan, clause 1: relation5_stage is no number, so the op must be = or <>.",
    ),
    "a text compared with a parameter": (
        lambda s: _row(s, "tag_rule", tag_value="fan").update(param_key="habit_min", literal=None),
        "relation5_stage is a text, so compare it with a literal.",
    ),
    "two values of a priority": (
        lambda s: _row(s, "tag_rule", tag_value="mid").update(priority="1"),
        "row *, activity_level, mid, clause 1: priority 1 is also the priority of high; the first match must be one value.",
    ),
    "the catch-all before others": (
        lambda s: _row(s, "tag_rule", tag_value="none").update(priority="0"),
        "the catch-all `otherwise` must stand alone in the last rule by priority.",
    ),
    "a place among buyers that nobody asks for": (
        lambda s: _row(s, "tag_rule", tag_value="high", feature="value_pct").update(param_key=None, literal="0.9"),
        "row *, value_tier, high, clause 1: no lifecycle rule asks whether value_pct >= 0.9, and a tag may only ask",
    ),
    "another value of a bool tag": (
        lambda s: _row(s, "tag_rule", tag_code="vip_member").update(tag_value="yes"),
        "row *, vip_member, yes, clause 1: a tag of type bool has the value true",
    ),
    "a quotation mark": (
        lambda s: _row(s, "tag_rule", tag_code="vip_member").update(literal="gol'd"),
        "row *, vip_member, true, clause 1: values take no quotation marks.",
    ),
    "unknown business type": (
        lambda s: _row(s, "tag_rule", business_type="saas").update(business_type="sas"),
        "row sas, no_purchase_60d, true, clause 1: the business type has no rows in the seed business_profile.",
    ),
    "rules without a tag": (
        lambda s: s["tag"].remove(_row(s, "tag", tag_code="relation_tier")),
        "row *, relation_tier, fan, clause 1: the seed tag has no such tag; add it there, or remove its rules too.",
    ),
    "a tag without rules": (
        lambda s: s["tag_rule"].remove(_row(s, "tag_rule", tag_value="potential"))
        or _row(s, "tag", tag_code="member_level").update(value_feature=None),
        "Seed tag, row member_level: it has neither a stated_as nor a value_feature nor rows in the seed tag_rule",
    ),
    "a tag of the source with rules": (
        lambda s: _row(s, "tag", tag_code="relation_tier").update(stated_as="press"),
        "Seed tag, row relation_tier: it has a stated_as, and a value_feature or rows in the seed tag_rule too; keep one of them.",
    ),
    "a tag of the source that is not static": (
        lambda s: _row(s, "tag", tag_code="member_day").update(tag_kind="dynamic"),
        "Seed tag, row member_day: what a source states is a tag of kind static and of type bool, not dynamic and bool.",
    ),
    "two tags of the source": (
        lambda s: _row(s, "tag", tag_code="member_day").update(stated_as="press|trade"),
        "Seed tag, row member_day: stated_as is one tag of the source, which joins them by |.",
    ),
    "time to live of a tag of the source": (
        lambda s: _row(s, "tag", tag_code="member_day").update(ttl_days="0"),
        "Seed tag, row member_day: ttl_days must be a whole number of days from 1 on, not '0'.",
    ),
    "unknown text": (
        lambda s: _row(s, "tag", tag_code="affinity_3").update(value_feature="affinity_4"),
        "Seed tag, row affinity_3 takes the value of 'affinity_4', which does not exist; use one of: activity_drop_alert, affinity_1,",
    ),
    "rules and a text": (
        lambda s: _row(s, "tag", tag_code="vip_member").update(value_feature="level_code", value_type="enum"),
        "Seed tag, row vip_member: it has a value_feature and rows in the seed tag_rule; keep one of them.",
    ),
    "time to live of rules": (
        lambda s: _row(s, "tag", tag_code="vip_candidate").update(ttl_days="30"),
        "Seed tag, row vip_candidate: ttl_days ends a value that nobody repeats; a tag with rules ends when they do",
    ),
    "time to live of a word": (
        lambda s: _row(s, "tag", tag_code="affinity_1").update(ttl_days="half a year"),
        "Seed tag, row affinity_1: ttl_days must be a whole number of days from 1 on, not 'half a year'.",
    ),
    "unknown kind": (
        lambda s: _row(s, "tag", tag_code="affinity_1").update(tag_kind="smart"),
        "Seed tag, row affinity_1: tag_kind must be static, dynamic or model, not 'smart'.",
    ),
    "unknown value type": (
        lambda s: _row(s, "tag", tag_code="affinity_1").update(value_type="text"),
        "Seed tag, row affinity_1: value_type must be bool, enum or num, not 'text'.",
    ),
    "neither open nor closed": (
        lambda s: _row(s, "tag", tag_code="affinity_1").update(is_active="maybe"),
        "Seed tag, row affinity_1: is_active must be true or false, not 'maybe'.",
    ),
    "retired on no day": (
        lambda s: _row(s, "tag", tag_code="affinity_1").update(retired_on="2026-02-30"),
        "Seed tag, row affinity_1: retired_on must be a day such as 2026-06-30, not '2026-02-30'.",
    ),
    "a group without a priority": (
        lambda s: _row(s, "tag", tag_code="vip_member").update(priority=None),
        "Seed tag, row vip_member: a tag of a group needs a whole number as priority",
    ),
    "two tags of a priority": (
        lambda s: _row(s, "tag", tag_code="vip_member").update(priority="2"),
        "Seed tag, row vip_member: priority 2 is also the priority of vip_candidate in the group vip",
    ),
    "a static tag after others": (
        lambda s: _row(s, "tag", tag_code="vip_member").update(priority="3"),
        "Seed tag, row vip_member: in the group vip a static tag must come before one that is not",
    ),
    "a tag twice": (
        lambda s: s["tag"].append(dict(_row(s, "tag", tag_code="affinity_1"))),
        "Seed tag, row affinity_1: the tag is given twice; keep one row.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_that_cannot_work_is_named(seeds: dict[str, Rows], case: str) -> None:
    change, sentence = REFUSED[case]
    change(seeds)
    with pytest.raises(RefusedError) as refused:
        _tagbook(seeds)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"event_name": "look"}, "Seed affinity_weight, row look: no event has that name; use one of: add_to_cart,"),
        ({"weight": "0"}, "row product_view: weight must be above 0 and at most 1000, not '0'."),
        ({"weight": "-1"}, "row product_view: weight must be above 0 and at most 1000, not '-1'."),
        ({"half_life_days": "30"}, "row like: half_life_days is 60, but 30 for product_view; it must be the same for all."),
        ({"half_life_days": "3"}, "row product_view: half_life_days must be a whole number from 7 to 3650, not '3'."),
        ({"event_name": "purchase"}, "row purchase: the event is given twice; keep one row."),
    ],
)  # fmt: skip
def test_a_weight_that_cannot_work_is_named(
    seeds: dict[str, Rows], change: dict[str, str], sentence: str
) -> None:
    _row(seeds, "affinity_weight", event_name="product_view").update(change)
    with pytest.raises(RefusedError) as refused:
        _macros(seeds)["affinity_half_life"]()
    assert sentence in str(refused.value)


def test_a_closed_tag_gives_way_to_the_next_of_its_group(seeds: dict[str, Rows]) -> None:
    _row(seeds, "tag", tag_code="vip_member").update(is_active="false")
    book = _tagbook(seeds)
    assert "vip_member" not in book["tags"]
    assert book["tags"]["vip_candidate"]["beaten_by"] == []


def test_a_tag_of_the_source_beats_the_others_of_its_group(seeds: dict[str, Rows]) -> None:
    _row(seeds, "tag", tag_code="member_day").update(tag_group="vip", priority="0", ttl_days="30")
    book = _tagbook(seeds)
    assert book["tags"]["vip_candidate"]["beaten_by"] == ["member_day", "vip_member"]
    assert book["tags"]["member_day"]["ttl_days"] == "30"
    _row(seeds, "tag", tag_code="member_day").update(priority="3")
    with pytest.raises(RefusedError, match="a static tag must come before one that is not"):
        _tagbook(seeds)


def test_closing_a_tag_in_the_seed_closes_its_intervals(demo_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(demo_root, root, ignore=shutil.ignore_patterns("landing", "truth", "target"))
    count = (
        "select tag_code, count(*), count(*) filter (where valid_to is null), max(valid_to)"
        " from marts.customer_tag group by all order by all"
    )
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        before = {code: rest for code, *rest in connection.execute(count).fetchall()}
        connection.execute("update seeds.tag set is_active = false where tag_code = 'member_level'")
        connection.execute(
            "update seeds.tag set retired_on = date '2026-03-01'"
            " where tag_code in ('activity_level', 'member_day')"
        )
        for seed in ("tag", "tag_rule"):
            connection.execute(f"delete from seeds.{seed} where tag_code = 'relation_tier'")
    run("dbt", "run", "--select", "int_tag__days", "customer_tag", data_root=root)
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        after = {code: rest for code, *rest in connection.execute(count).fetchall()}
        (late,) = connection.execute(
            "select count(*) from marts.customer_tag where tag_code in ('activity_level', 'member_day')"
            " and (valid_to is null or valid_to > date '2026-03-01' or valid_from >= date '2026-03-01')"
        ).fetchone()
    assert before.keys() - after.keys() == {"member_level", "relation_tier"}
    assert late == 0
    assert 0 < after["activity_level"][0] < before["activity_level"][0]
    assert 0 < after["member_day"][0] <= before["member_day"][0]
    assert before["member_day"][1] > 0 and after["member_day"][1] == 0
    others = after.keys() - {"activity_level", "member_day"}
    assert {code: after[code] for code in others} == {code: before[code] for code in others}
