"""Rows of the seed survivorship that cannot work stop the build with one sentence that names them."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest
from checkout import PROJECT
from rendered import RefusedError, macros

Rows = list[dict[str, str | None]]


def _shipped() -> Rows:
    with (PROJECT / "seeds" / "survivorship.csv").open(newline="") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def _given(rows: Rows | None) -> dict[str, Callable[..., object]]:
    files = ("hooks/settings.sql", "core/survivorship.sql")
    return macros(files, {"seed_rows": lambda name: rows})


def _row(rows: Rows, attribute: str, source_system: str) -> dict[str, str | None]:
    return next(
        r for r in rows if (r["attribute"], r["source_system"]) == (attribute, source_system)
    )


def test_the_shipped_rows_work() -> None:
    macro = _given(_shipped())
    rules = macro["survivorship_rules"]()
    assert list(rules) == list(macro["profile_attributes"]())
    assert rules["birth_date"] == {
        "strategy": "source_priority",
        "priorities": {"crm": 1},
        "default": 5,
    }


def test_the_strategy_is_the_order_of_the_terms_in_the_key() -> None:
    rows = _shipped()
    rows.append(
        {
            "attribute": "city",
            "source_system": "o'hara",
            "priority": "2",
            "strategy": "source_priority",
        }
    )
    priority = (
        "case source_system when 'wechat' then '9994' when 'o''hara' then '9997' else '9998' end"
    )
    first, recency = "cast(city_completeness as string)", "cast(city_since as string)"
    expected = {
        "source_priority": [first, priority, recency],
        "most_recent": [first, recency, priority],
        "most_complete": [
            first,
            "lpad(cast(length(city) as string), 9, '0')",
            priority,
            recency,
        ],
    }
    for strategy, terms in expected.items():
        for row in rows:
            if row["attribute"] == "city":
                row["strategy"] = strategy
        macro = _given(rows)
        key = ", ".join([*terms, "source_system", "source_record_id"])
        assert macro["survivorship_key"]("city", macro["survivorship_rules"]()) == (
            f"case when city is not null then concat_ws(chr(1), {key}) end"
        )


REFUSED = {
    "unknown attribute": (
        lambda r: _row(r, "city", "wechat").update(attribute="town"),
        "row town, wechat: a customer has no attribute 'town'; use one of: birth_date, business",
    ),
    "no source system": (
        lambda r: _row(r, "city", "wechat").update(source_system=None),
        "row city, None: source_system must name a source system, or be *",
    ),
    "no number": (
        lambda r: _row(r, "city", "wechat").update(priority="first"),
        "row city, wechat: priority must be a whole number from 0 to 9999, the smallest wins, not",
    ),
    "no priority": (
        lambda r: _row(r, "city", "wechat").update(priority=None),
        "row city, wechat: priority must be a whole number from 0 to 9999",
    ),
    "unknown strategy": (
        lambda r: _row(r, "city", "wechat").update(strategy="newest"),
        "row city, wechat has the strategy 'newest'; use one of: most_complete, most_recent, source",
    ),
    "the longest date": (
        lambda r: [x.update(strategy="most_complete") for x in r if x["attribute"] == "birth_date"],
        "row birth_date, crm: most_complete takes the longest text, and birth_date is a date",
    ),
    "two strategies": (
        lambda r: _row(r, "city", "wechat").update(strategy="most_recent"),
        "row city, wechat: the strategy is most_recent, but source_priority on another row of city",
    ),
    "a row given twice": (
        lambda r: r.append(dict(_row(r, "city", "wechat"))),
        "row city, wechat: the row is given twice; keep one.",
    ),
    "two rows for every other system": (
        lambda r: r.append(dict(_row(r, "city", "*"))),
        "row city, *: the row is given twice; keep one.",
    ),
    "nothing for every other system": (
        lambda r: r.remove(_row(r, "city", "*")),
        "Seed survivorship has no row city, *: every attribute needs one",
    ),
    "an attribute left out": (
        lambda r: r.remove(_row(r, "business_unit", "*")),
        "Seed survivorship has no row business_unit, *: every attribute needs one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_cannot_work_is_refused_with_a_sentence(name: str) -> None:
    spoil, sentence = REFUSED[name]
    rows = _shipped()
    spoil(rows)
    with pytest.raises(RefusedError) as refused:
        _given(rows)["survivorship_rules"]()
    assert sentence in str(refused.value)


def test_a_seed_that_was_never_built_is_refused() -> None:
    with pytest.raises(RefusedError, match="The seed survivorship has not been built; run `dbt"):
        _given(None)["survivorship_rules"]()
