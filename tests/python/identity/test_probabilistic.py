"""The second pass: what it proposes is weaker than every identifier, and what it proposes is right."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from checkout import run
from landed import write_landed
from warehouse import DIRECT_ONLY

from orchestration.cli import main
from orchestration.identity.golden import read_people
from orchestration.identity.probabilistic import INSTALL, judge

needs_splink = pytest.mark.skipif(
    importlib.util.find_spec("splink") is None,
    reason=f"Splink is not installed; it is the extra `probabilistic`: {INSTALL}",
)
MODELS = ("+int_identity__probable_links", "+int_identity__rejected_edges", "survivorship")
PERSONS = 500
PLACES = [(f"province {n % 8}", f"city {n}") for n in range(40)]


def account(system: str, record: str, *ids: tuple[str, str], **attributes: str) -> dict[str, str]:
    named = [{"id_type": kind, "id_scope": "", "id_value": value} for kind, value in sorted(ids)]
    return {
        "source_system": system, "source_record_id": record, "created_at": "2025-01-01 00:00:00",
        "account_kind": "member", "ids": json.dumps(named) if named else None, **attributes,
    }  # fmt: skip


def guarded() -> list[dict[str, str]]:
    """Accounts without attributes, for the links that are written by hand."""
    return [
        account("a", "free"), account("b", "free"),
        account("a", "maybe"), account("b", "maybe"),
        account("a", "apart"), account("b", "apart"),
        account("a", "other", ("wx_unionid", "other1")), account("b", "other", ("wx_unionid", "other2")),
        # b:torn has a phone in common with the one and is probably the other, who cannot be both.
        account("a", "torn", ("wx_unionid", "torn1"), ("phone", "torn")),
        account("b", "torn", ("phone", "torn")),
        account("c", "torn", ("wx_unionid", "torn2")),
    ]  # fmt: skip


def planted(seed: int = 3) -> list[dict[str, str]]:
    """Persons with accounts of two systems: tied by a phone (p), by nothing (q), or one account only (r)."""
    draw = random.Random(seed)

    def blurred(person: dict[str, str]) -> dict[str, str]:
        told = {name: value for name, value in person.items() if draw.random() > 0.06}
        if draw.random() < 0.03:
            told["name"] = f"alias {draw.randrange(1000)}"
        if "birth_date" in told and draw.random() < 0.03:
            told["birth_date"] = told["birth_date"][:-1] + str(draw.randrange(1, 9))
        if draw.random() < 0.05:
            told |= dict(zip(("province", "city"), draw.choice(PLACES), strict=True))
        return told

    rows = []
    for number in range(PERSONS):
        kind = draw.choices("pqr", [5, 2, 3])[0]
        province, city = draw.choice(PLACES)
        person = {
            "name": f"name {min(draw.randrange(150), draw.randrange(150))}",
            "birth_date": f"{draw.randrange(1950, 2006)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 28):02d}",
            "gender": draw.choice(["male", "female"]),
            "province": province,
            "city": city,
        }
        phone = [("phone", f"phone {number}")] if kind == "p" else []
        rows.append(account("a", f"{kind}{number}", *phone, **blurred(person)))
        if kind != "r":
            rows.append(account("b", f"{kind}{number}", *phone, **blurred(person)))
    draw.shuffle(rows)
    return rows


def probable(left: str, right: str, band: str = "accept") -> dict[str, object]:
    """A row of the file by hand; `a:free` is an account."""
    row: dict[str, object] = {"probability": 0.99, "match_weight": 20.0, "band": band, "model_id": "hand"}  # fmt: skip
    for side, text in (("left", left), ("right", right)):
        scope, _, value = text.partition(":")
        row |= {f"{side}_type": "account", f"{side}_scope": scope, f"{side}_token": value}
    return row


def build(root: Path, **settings: object) -> None:
    given = json.dumps(DIRECT_ONLY | settings)
    run(
        "dbt", "build", "--exclude-resource-type", "unit_test", "test", "--vars", given, "--select", *MODELS,
        data_root=root,
    )  # fmt: skip


def customers(root: Path) -> dict[str, str]:
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        return dict(
            connection.execute(
                "select i.id_scope || ':' || i.id_value, m.customer_id "
                "from identity.int_identity__identifiers as i "
                "join identity.int_identity__components as c on c.node_key = i.node_key "
                "join identity.int_identity__customer_ids as m on m.component_key = c.component_key "
                "where i.is_account"
            ).fetchall()
        )


@pytest.fixture(scope="module")
def off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse built with the setting off, although there are links to act on."""
    root = tmp_path_factory.mktemp("probabilistic")
    links = [
        probable("a:free", "b:free"),
        probable("a:maybe", "b:maybe", "review"),
        probable("a:apart", "b:apart"),
        probable("a:other", "b:other"),
        probable("b:torn", "c:torn"),
        probable("a:free", "c:gone"),
    ]
    cannot = probable("a:apart", "b:apart") | {"action": "cannot", "author": "ann"}
    accounts = {"account": guarded() + planted()}
    write_landed(root, accounts, rules={"probable_link": links, "manual_link": [cannot]})
    build(root)
    return root


@pytest.fixture(scope="module")
def on(off: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("on") / "data"
    shutil.copytree(off, root)
    build(root, identity_probabilistic=True)
    run("dbt", "test", "--select", "int_identity__probable_links", data_root=root)
    return root


def test_an_accepted_link_joins_while_the_setting_is_on(off: Path, on: Path):
    before, after = customers(off), customers(on)
    assert before["a:free"] != before["b:free"]
    assert after["a:free"] == after["b:free"]
    # Nothing else changed: all other accounts have the ids that they had.
    assert {name: one for name, one in before.items() if "free" not in name} == {
        name: one for name, one in after.items() if "free" not in name
    }


def test_a_probable_link_yields_to_limits_orders_and_identifiers(on: Path):
    with duckdb.connect(str(on / "warehouse.duckdb"), read_only=True) as connection:
        shown = connection.execute(
            "select source_record_id, band, is_one_customer, other_customer_id is null "
            "from identity.int_identity__probable_links order by 1, other_source_record_id"
        ).fetchall()
        refused = connection.execute(
            "select a.id_value, e.reason from identity.int_identity__rejected_edges as e "
            "join identity.int_identity__identifiers as a on a.node_key = e.node_a "
            "where e.rule = 'probabilistic' order by 1"
        ).fetchall()
    assert shown == [
        ("apart", "accept", False, False),
        ("free", "accept", True, False),
        ("free", "accept", False, True),
        ("maybe", "review", False, False),
        ("other", "accept", False, False),
        ("torn", "accept", False, False),
    ]
    assert refused == [
        ("apart", "cannot"),
        ("other", "limit:wx_unionid"),
        ("torn", "limit:wx_unionid"),
    ]
    after = customers(on)
    assert after["a:torn"] == after["b:torn"]


def test_the_pass_sees_customers_as_they_are_without_probable_links(off: Path, on: Path):
    people = []
    for root in (off, on):
        with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
            people.append(read_people(connection))
    assert people[0].golden.equals(people[1].golden)
    assert people[0].accounts.equals(people[1].accounts)
    assert people[0].anchors == people[1].anchors
    assert people[0].holdings == people[1].holdings


def test_the_likeliest_pair_counts_first_and_conflicts_are_cannot_links(off: Path):
    with duckdb.connect(str(off / "warehouse.duckdb"), read_only=True) as connection:
        people = read_people(connection)
    person = {f"{scope}:{value}": key for key, (scope, value) in people.anchors.items()}

    def pair(left: str, right: str, probability: float) -> dict[str, object]:
        return {
            "left": person[left], "right": person[right], "probability": probability,
            "match_weight": 1.0, "agrees_on": "name",
        }  # fmt: skip

    scored = [
        pair("b:other", "a:free", 0.999),
        pair("a:free", "a:other", 0.998),
        pair("a:other", "b:other", 0.997),
        pair("a:apart", "b:maybe", 0.996),
        pair("b:maybe", "b:apart", 0.995),
        pair("a:maybe", "b:maybe", 0.95),
    ]
    assert [(row["band"], row["reason"]) for row in judge(scored, people, 0.99)] == [
        ("accept", None),
        ("cannot_link", "limit:wx_unionid"),
        ("cannot_link", "limit:wx_unionid"),
        ("accept", None),
        ("cannot_link", "cannot"),
        ("review", None),
    ]


def ask(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setenv("PERENNIAL_DATA", str(root))
    return main(["identity", "--probabilistic", *arguments])


def test_without_splink_one_sentence_says_how_to_install_it(
    off: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "splink" else find(name, *rest)
    )  # fmt: skip
    assert ask(off, monkeypatch) == 2
    assert capsys.readouterr().err == (
        f"perennial: The second pass needs Splink, which is not installed: run `{INSTALL}`.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "perennial: There is no trained model at "),
        (["--vars", "{identity_probabilistic_review: 0.995}"], "must not lie above"),
        (["--vars", "{identity_probabilistic_accept: 2}"], "must lie between 0.5 and 1, not '2'"),
        (["--dry-run"], "needs to be told what to do"),
    ],
)
def test_wrong_use_is_said_in_one_sentence(
    off: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: sys.modules)
    assert ask(off, monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


@needs_splink
def test_planted_persons_are_found_and_a_second_pass_says_the_same(
    off: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    root = tmp_path / "data"
    shutil.copytree(off, root)
    file = root / "landed" / "rules" / "probable_link" / "rules.parquet"
    assert ask(root, monkeypatch, "--train", "--json") == 0
    first = file.read_bytes()
    model = (root / "identity" / "probabilistic.json").read_bytes()
    found = json.loads(capsys.readouterr().out)
    rows = pq.read_table(file).to_pylist()
    assert found["bands"]["accept"] == sum(row["band"] == "accept" for row in rows)
    pairs = {tuple(sorted((row["left_token"], row["right_token"]))) for row in rows if row["band"] == "accept"}  # fmt: skip
    apart = {row["source_record_id"] for row in planted() if row["source_record_id"][0] == "q"}
    right = sum(left == right for left, right in pairs)
    precision, recall = right / len(pairs), right / len(apart)
    assert precision >= 0.97
    assert recall >= 0.5
    build(root, identity_probabilistic=True)
    after = customers(root)
    assert sum(after[f"a:{name}"] == after[f"b:{name}"] for name in apart) == right
    # Its own links are no evidence for it: the same model says the same again, and so does the same training.
    assert ask(root, monkeypatch) == 0
    assert file.read_bytes() == first
    assert ask(root, monkeypatch, "--train") == 0
    assert (root / "identity" / "probabilistic.json").read_bytes() == model
    assert file.read_bytes() == first
