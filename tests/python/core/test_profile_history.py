"""The profile of every moment on random account versions, against a second implementation in Python.

The values, moments and accounts are few, so that versions of one moment, versions without any,
masked and impossible values, deletions, test accounts and ties occur in every draw.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import duckdb
import pandas as pd
import pytest
import yaml
from checkout import BIN, PROJECT, environment

AS_OF = date(2026, 6, 30)
EVER = datetime(1900, 1, 1)
START = datetime(2026, 1, 1)
ATTRIBUTES = {
    "gender": ["male", "female", "unknown", " ", None],
    "birth_date": [date(1990, 1, 1), date(1990, 1, 10), date(1970, 1, 1), date(1900, 1, 1),
                   date(1880, 2, 2), date(2026, 1, 5), date(2026, 7, 1), None],
    "country": ["China", "People's Republic", "CN", "C***", "n/a", None],
    "province": ["浙江", "江苏", "浙＊", None],
    "city": ["杭州", "苏州", "杭*", "**", "NULL", None],
    "level_code": ["0", "gold", "g•••", "", None],
    "business_unit": ["a", "b", None],
}  # fmt: skip
RULES = {
    "gender": ("most_recent", {"crm": 1}),
    "birth_date": ("source_priority", {"crm": 1}),
    "country": ("most_complete", {"crm": 3}),
    "province": ("most_recent", {}),
    "city": ("source_priority", {"app": 9, "it's": 1}),
    "level_code": ("source_priority", {"crm": 1}),
    "business_unit": ("most_recent", {}),
}
OTHERS = 5
MODELS = ("int_core__account_states", "dim_customer_history")
RECORD_COLUMNS = (
    "source_system varchar, source_record_id varchar, registered_at timestamp, created_at timestamp, updated_at timestamp, "
    "loaded_at timestamp, is_deleted boolean, is_test boolean, gender varchar, birth_date date, country varchar, "
    "province varchar, city varchar, level_code varchar, business_unit varchar, outcome varchar, extra varchar"
)


@dataclass(frozen=True)
class Version:
    """One landed version of an account."""

    source_system: str
    source_record_id: str
    registered_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    loaded_at: datetime | None
    is_deleted: bool
    is_test: bool | None
    values: tuple[object, ...]

    def row(self) -> tuple[object, ...]:
        head = (self.source_system, self.source_record_id, self.registered_at, self.created_at,
                self.updated_at, self.loaded_at, self.is_deleted, self.is_test)  # fmt: skip
        return (*head, *self.values, "superseded")


@dataclass(frozen=True)
class State:
    """What an account says from a moment on: attribute -> (grade, value, since)."""

    moment: datetime
    is_deleted: bool
    is_test: bool
    says: dict[str, tuple[int, object, datetime | None]]


def _draw(seed: int, customers: int) -> dict[str, list[Version]]:
    """Versions of the accounts of each customer."""
    rnd = random.Random(seed)

    def moment() -> datetime:
        return START + timedelta(hours=12 * rnd.randrange(20))

    drawn: dict[str, list[Version]] = {}
    for number in range(customers):
        customer = drawn.setdefault(f"c_{number:04d}", [])
        for account in range(rnd.choice([1, 1, 2, 3, 4])):
            system = rnd.choice(["crm", "app", "it's", "shop"])
            key = f"{number}-{account}"
            registered = moment() if rnd.random() < 0.5 else None
            for _ in range(rnd.choice([1, 2, 3, 5])):
                customer.append(
                    Version(
                        system,
                        key,
                        registered,
                        moment() if rnd.random() < 0.3 else None,
                        moment() if rnd.random() < 0.7 else None,
                        moment() if rnd.random() < 0.4 else None,
                        rnd.random() < 0.1,
                        rnd.choice([True, False, None, None]),
                        tuple(rnd.choice(values) for values in ATTRIBUTES.values()),
                    )
                )
    return drawn


def _grade(attribute: str, value: object, stated_on: date) -> int:
    if value is None:
        return 0
    if isinstance(value, date):
        if value <= date(1900, 1, 1) or value > stated_on:
            return 0
        return 1 if value == date(1970, 1, 1) else 2
    text = str(value).strip()
    if not text.strip("*＊•● "):
        return 0
    if attribute in ("gender", "country", "province", "city") and text.lower() in (
        "null",
        "unknown",
        "n/a",
    ):
        return 0
    return 1 if set(text) & set("*＊•●") else 2


def _states(versions: Sequence[Version]) -> list[State]:
    """States of one account, replayed in the order of the contract."""
    ages: dict[tuple[datetime, datetime], list[Version]] = {}
    for version in versions:
        ages.setdefault((version.updated_at or EVER, version.loaded_at or EVER), []).append(version)
    groups = [ages[age] for age in sorted(ages)]
    stated = []
    for group in groups:
        moments = [min((m for m in field if m), default=None) for field in (
            [v.updated_at for v in group], [v.loaded_at for v in group],
            [v.registered_at for v in group], [v.created_at for v in group])]  # fmt: skip
        stated.append(next((m for m in moments if m), None))
    held_from = [min(m or EVER for m in stated[i:]) for i in range(len(groups))]

    states: list[State] = []
    standing: dict[str, tuple[int, object]] = dict.fromkeys(ATTRIBUTES, (0, None))
    for number, group in enumerate(groups):
        is_deleted = any(v.is_deleted for v in group)
        if is_deleted:
            standing = dict.fromkeys(ATTRIBUTES, (0, None))
        else:
            at = stated[number]
            stated_on = (at + timedelta(hours=8)).date() if at else AS_OF
            for index, attribute in enumerate(ATTRIBUTES):
                said = {v.values[index] for v in group} - {None}
                value = said.pop() if len(said) == 1 else None
                grade = _grade(attribute, value, stated_on)
                if grade and grade >= standing[attribute][0]:
                    standing[attribute] = (grade, value)
        before = states[-1] if states and states[-1].moment < held_from[number] else None
        if states and before is None:
            states.pop()
            before = states[-1] if states else None
        says = {}
        for attribute, (grade, value) in standing.items():
            same = before is not None and before.says[attribute][1] == value
            old = before.says[attribute][2] if before else None
            new = held_from[number] if before or value is not None else None
            says[attribute] = (grade, value, old if same else new)
        states.append(State(held_from[number], is_deleted, any(v.is_test for v in group), says))
    return states


def _rank(attribute: str, key: tuple[str, str], said: tuple) -> tuple:
    strategy, priorities = RULES[attribute]
    grade, value, since = said
    priority = -priorities.get(key[0], OTHERS)
    terms = {
        "source_priority": (priority, since),
        "most_recent": (since, priority),
        "most_complete": (len(str(value)), priority, since),
    }[strategy]
    return (grade, *terms, *key)


def _profile(accounts: dict[tuple[str, str], list[State]], moment: datetime) -> tuple | None:
    """Values, sources and birthday conflicts of a customer at a moment; None before there are any."""
    now = {key: [s for s in states if s.moment <= moment] for key, states in accounts.items()}
    in_force = {key: states[-1] for key, states in now.items() if states}
    if not in_force:
        return None
    alive = {key: s for key, s in in_force.items() if not s.is_deleted}
    heard = {key: s for key, s in alive.items() if not s.is_test} or alive
    profile: list[object] = []
    for attribute in ATTRIBUTES:
        said = {key: s.says[attribute] for key, s in heard.items() if s.says[attribute][0]}
        best = max(said, key=lambda key: _rank(attribute, key, said[key]), default=None)
        profile += [said[best][1], best[0]] if best else [None, None]
    birthdays = {s.says["birth_date"][1] for s in heard.values() if s.says["birth_date"][0] == 2}
    return (*profile, max(len(birthdays) - 1, 0))


def _history(versions: Sequence[Version]) -> list[tuple]:
    """Rows of one customer in dim_customer_history, without the customer id."""
    accounts: dict[tuple[str, str], list[Version]] = {}
    for version in versions:
        accounts.setdefault((version.source_system, version.source_record_id), []).append(version)
    states = {key: _states(group) for key, group in accounts.items()}
    rows: list[list] = []
    for moment in sorted({s.moment for group in states.values() for s in group}):
        profile = _profile(states, moment)
        if rows and rows[-1][2:] == list(profile):
            continue
        if rows:
            rows[-1][1] = moment
        rows.append([moment, None, *profile])
    return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SQL of the two models under RULES, in a project of these models alone."""
    folder = tmp_path_factory.mktemp("profile")
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    small = {key: project[key] for key in ("name", "version", "profile", "flags", "vars")}
    small |= {"macro-paths": [str(PROJECT / "macros")]}
    small |= {"models": {"perennial": {"+schema": "core"}}}
    small |= {"seeds": {"perennial": {"+schema": "seeds", "+quote_columns": False}}}
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(small))
    shutil.copy(PROJECT / "profiles.yml", folder)
    (folder / "models").mkdir()
    (folder / "seeds").mkdir()
    for name in MODELS:
        shutil.copy(PROJECT / "models" / "core" / f"{name}.sql", folder / "models")
    for name in ("int_unified__account_records", "bridge_customer_identifier", "int_core__as_of"):
        (folder / "models" / f"{name}.sql").write_text("select 1 as one")
    shutil.copy(PROJECT / "seeds" / "placeholder_word.csv", folder / "seeds")
    lines = ["attribute,source_system,priority,strategy"]
    for attribute, (strategy, priorities) in RULES.items():
        for system, priority in {**priorities, "*": OTHERS}.items():
            lines.append(f"{attribute},{system},{priority},{strategy}")
    (folder / "seeds" / "survivorship.csv").write_text("\n".join(lines) + "\n")
    for command in (["seed"], ["compile", "--select", *MODELS]):
        done = subprocess.run(
            [str(BIN / "dbt"), *command],
            cwd=folder, env=environment(folder), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
    target = folder / "target" / "compiled" / "perennial" / "models"
    return {name: (target / f"{name}.sql").read_text() for name in MODELS}


def _built(
    compiled: dict[str, str], drawn: dict[str, list[Version]], shuffle: int = 0, threads: int = 2
) -> list[tuple]:
    """Rows of dim_customer_history, in order."""
    rows = [v.row() for versions in drawn.values() for v in versions]
    random.Random(shuffle).shuffle(rows)
    with duckdb.connect() as connection:
        connection.execute(
            f"set threads = {threads}; attach ':memory:' as warehouse; use warehouse; create schema core"
        )
        connection.execute(f"create table core.int_unified__account_records ({RECORD_COLUMNS})")
        frame = pd.DataFrame(rows, dtype=object)
        connection.execute(
            "insert into core.int_unified__account_records select *, null from frame"
        )
        connection.execute(f"create table core.int_core__as_of as select date '{AS_OF}' as as_of")
        connection.execute(
            "create table core.bridge_customer_identifier (id_type varchar, id_scope varchar, id_value varchar,"
            " customer_id varchar, valid_to timestamp)"
        )
        accounts = {
            (v.source_system, v.source_record_id, customer)
            for customer, versions in drawn.items()
            for v in versions
        }
        frame = pd.DataFrame(sorted(accounts), dtype=object)
        connection.execute(
            "insert into core.bridge_customer_identifier select 'account', *, null from frame"
        )
        del frame
        for name, sql in compiled.items():
            connection.execute(f"create table core.{name} as {sql}")
        columns = ", ".join(f"{a}, {a}_source" for a in ATTRIBUTES)
        return connection.execute(
            f"select customer_id, valid_from, valid_to, {columns}, birth_date_conflict_count"
            " from core.dim_customer_history order by all"
        ).fetchall()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_period_agrees_with_the_second_implementation(
    compiled: dict[str, str], seed: int
) -> None:
    drawn = _draw(seed, customers=250)
    expected = [(c, *row) for c, versions in drawn.items() for row in _history(versions)]
    assert len(expected) > 600
    assert _built(compiled, drawn) == sorted(expected, key=lambda row: row[:2])


def test_any_order_of_delivery_and_any_number_of_threads_give_the_same_rows(
    compiled: dict[str, str],
) -> None:
    drawn = _draw(4, customers=250)
    first = _built(compiled, drawn, shuffle=1, threads=1)
    for shuffle, threads in ((2, 2), (3, 4)):
        assert _built(compiled, drawn, shuffle, threads) == first


def test_a_past_moment_reads_nothing_that_came_after_it(compiled: dict[str, str]) -> None:
    """Only versions that state a moment: a later one takes nothing from the periods before it."""
    cut = START + timedelta(days=5)
    drawn = {
        customer: [replace(v, updated_at=v.updated_at or START, loaded_at=None) for v in versions]
        for customer, versions in _draw(5, customers=250).items()
    }
    known = {c: [v for v in versions if v.updated_at <= cut] for c, versions in drawn.items()}

    def until(rows: list[tuple]) -> list[tuple]:
        return [
            (*row[:2], row[2] if row[2] and row[2] <= cut else None, *row[3:])
            for row in rows
            if row[1] <= cut
        ]

    assert until(_built(compiled, drawn)) == _built(compiled, known)
