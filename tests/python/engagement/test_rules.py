"""Rows of the seeds that cannot work stop the build with one sentence; the shipped ones work."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest
from checkout import PROJECT
from rendered import RefusedError, macros

Rows = list[dict[str, str | None]]
EVENTS = ["product_view", "add_to_cart", "checkout_start"]


def _shipped(seed: str) -> Rows:
    with (PROJECT / "seeds" / f"{seed}.csv").open(newline="") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def _macro(name: str, seed: str, rows: Rows) -> object:
    given = {
        "graph": {"sources": {"any": {}}},
        "contract_columns": lambda entity: [{"name": "event_name", "accepted_values": EVENTS}],
        "seed_rows": lambda asked: rows if asked == seed else None,
    }
    return macros(("hooks/settings.sql", "engagement/seeds.sql"), given)[name]()


def test_the_shipped_rows_work() -> None:
    funnels = _macro("funnel_steps", "funnel_step", _shipped("funnel_step"))
    assert {code: len(steps) for code, steps in funnels.items()} == {
        "activation": 2,
        "first_purchase": 4,
        "purchase": 4,
    }
    _macro("require_promotions", "promo_calendar", _shipped("promo_calendar"))


def test_the_calendar_knows_618_and_double_11() -> None:
    rows = {(r["promo_code"], r["ends_on"]): r for r in _shipped("promo_calendar")}
    for year in range(2020, 2031):
        assert rows["618", f"{year}-06-20"]["starts_on"] < f"{year}-06-18"
        assert rows["double_11", f"{year}-11-11"]["label_zh"] == "双十一"


def test_steps_are_put_in_order() -> None:
    rows = _shipped("funnel_step")
    again = _macro("funnel_steps", "funnel_step", rows[::-1])
    assert again == _macro("funnel_steps", "funnel_step", rows)


Edit = Callable[[Rows], object]

FUNNELS: dict[str, tuple[Edit, str]] = {
    "unknown event": (
        lambda rows: rows[1].update(step_event="cart"),
        "Seed funnel_step, row activation, step 2: the step 'cart' is no event; use one of: registration, order, product_view",
    ),
    "no number": (
        lambda rows: rows[1].update(step_number="two"),
        "row activation, step two: step_number must be a whole number from 1 to 99.",
    ),
    "gap": (
        lambda rows: rows[1].update(step_number="3"),
        "funnel activation: the steps must be numbered 1, 2, 3 and so on, each once; step 2 is missing.",
    ),
    "twice": (
        lambda rows: rows[1].update(step_number="1"),
        "funnel activation: the steps must be numbered 1, 2, 3 and so on, each once; step 2 is given twice.",
    ),
    "one step": (
        lambda rows: rows.pop(1),
        "Seed funnel_step, funnel activation: a funnel needs two steps or more.",
    ),
    "window": (
        lambda rows: rows[1].update(window_days="-1"),
        "row activation, step 2: window_days must be a whole number of days, not '-1'.",
    ),
    "first window": (
        lambda rows: rows[0].update(window_days="1"),
        "funnel activation, step 1: window_days counts from the first step, so it is 0 there",
    ),
    "shrinking window": (
        lambda rows: rows[4].update(window_days="7"),
        "funnel first_purchase, step 3: window_days counts from the first step, so it is 0 there and never less than",
    ),
    "code": (
        lambda rows: rows[0].update(funnel_code="First Purchase"),
        "row First Purchase, step 1: funnel_code must be lower-case words joined by _.",
    ),
}


@pytest.mark.parametrize("case", FUNNELS)
def test_a_funnel_that_cannot_work_is_refused(case: str) -> None:
    edit, sentence = FUNNELS[case]
    rows = _shipped("funnel_step")
    edit(rows)
    with pytest.raises(RefusedError) as refused:
        _macro("funnel_steps", "funnel_step", rows)
    assert sentence in str(refused.value)


PROMOTIONS: dict[str, tuple[Edit, str]] = {
    "no day": (
        lambda rows: rows[0].update(starts_on="2020-02-30"),
        "row womens_day from 2020-02-30: starts_on and ends_on must be days such as 2026-06-18, not '2020-02-30'.",
    ),
    "no end": (
        lambda rows: rows[0].update(ends_on=None),
        "starts_on and ends_on must be days such as 2026-06-18, not 'None'.",
    ),
    "backwards": (
        lambda rows: rows[0].update(ends_on="2020-03-01"),
        "row womens_day from 2020-03-05: it ends on 2020-03-01, before it starts.",
    ),
    "twice": (
        lambda rows: rows.append(dict(rows[0])),
        "row womens_day from 2020-03-05: the promotion is given twice; keep one row.",
    ),
    "no code": (lambda rows: rows[0].update(promo_code=None), "promo_code is empty."),
}


@pytest.mark.parametrize("case", PROMOTIONS)
def test_a_promotion_that_cannot_be_is_refused(case: str) -> None:
    edit, sentence = PROMOTIONS[case]
    rows = _shipped("promo_calendar")
    edit(rows)
    with pytest.raises(RefusedError) as refused:
        _macro("require_promotions", "promo_calendar", rows)
    assert sentence in str(refused.value)


def _activations(rows: Rows) -> dict[str, tuple[str, int]]:
    given = {
        "graph": {"sources": {"any": {}}},
        "contract_columns": lambda entity: [
            {"name": "event_name", "accepted_values": [*EVENTS, "feature_use", "lesson_progress"]}
        ],
        "setting": lambda name: "ecommerce",
        "seed_rows": lambda asked: rows if asked == "business_profile" else None,
    }
    paths = ("hooks/settings.sql", "lifecycle/rulebook.sql", "engagement/seeds.sql")
    rules = macros(paths, given)["activation_rules"]()
    return {r["business_type"]: (r["event_name"], r["days"]) for r in rules}  # type: ignore[union-attr]


def _profile(business_type: str, key: str, value: str) -> dict[str, str | None]:
    return {"business_type": business_type, "model_code": "*", "param_key": key, "value": value}


PROFILE = [
    _profile("*", "activation_event", "add_to_cart"),
    _profile("*", "activation_days", "7"),
    _profile("ecommerce", "warn_days", "90"),
    _profile("saas", "activation_event", "feature_use"),
]


def test_activation_is_a_matter_of_the_business_type() -> None:
    assert _activations(PROFILE) == {"ecommerce": ("add_to_cart", 7), "saas": ("feature_use", 7)}
    assert set(_activations(PROFILE[2:3]).values()) == set()


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "activation_event",
            "cart",
            "Seed business_profile, business type saas: activation_event 'cart' is no event; use one of: registration, order, product_view",
        ),
        (
            "activation_event",
            "7",
            "Seed business_profile, row saas, \\*, activation_event: the value must be the name of an event such as add_to_cart, not '7'.",
        ),
        (
            "activation_days",
            "1.5",
            "Seed business_profile, business type saas: activation_days must be a whole number of days, not '1.5'.",
        ),
    ],
)
def test_an_activation_that_cannot_be_stops_the_build(key: str, value: str, sentence: str) -> None:
    rows = [r for r in PROFILE if (r["business_type"], r["param_key"]) != ("saas", key)]
    with pytest.raises(RefusedError, match=sentence):
        _activations([*rows, _profile("saas", key, value)])
