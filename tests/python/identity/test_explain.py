"""Explanations on graphs made by hand: every pair has a path, every link its rule, two stay two."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed import PROJECT, RULES, write_landed
from test_components import build

from orchestration.cli import main
from orchestration.identity.explain import explain
from orchestration.identity.graph import Evidence, Link, path_between, strongest_tree
from orchestration.identity.reading import open_identity
from orchestration.landing.tokens import Tokeniser
from orchestration.runtime.paths import DataPaths

KEY = "0123456789abcdef0123456789abcdef"
TOKENS = Tokeniser(KEY.encode())
GRAPHS = 120
PHONE, OTHER_PHONE, GUEST_PHONE = "+8613812345678", "+8613912345678", "+8613712345678"
MOVED_PHONE = "+8613612345678"
MAILBOX = "lin@brand.cn"
OLD, GONE = "c_" + "0" * 24, "c_" + "1" * 24


def identifier(id_type: str, value: str, scope: str = "", flag: str | None = None) -> dict:
    token = TOKENS.token(id_type, scope, value)
    element = {"id_type": id_type, "id_scope": scope, "id_value": token}
    return element | ({"flag": flag} if flag else {})


def record(number: str, day: str, account: str | None, *ids: dict, system: str = "shop") -> dict:
    return {
        "source_system": system,
        "source_record_id": number,
        "ordered_at": f"{day} 00:00:00",
        "status": "paid",
        "paid_amount": "1",
        "currency": "CNY",
        "account_ref": account,
        "ids": json.dumps(ids) if ids else None,
    }


def visit(number: str, account: str | None, *ids: dict, day: str = "2025-03-01") -> dict:
    return {
        "source_system": "site",
        "source_record_id": number,
        "event_at": f"{day} 00:00:00",
        "event_name": "page_view",
        "account_ref": account,
        "ids": json.dumps(ids),
    }


def people() -> dict[str, list[dict]]:
    """Lin with two accounts and two cookies; two strangers who share what joins nobody."""
    phone, other = identifier("phone", PHONE), identifier("phone", OTHER_PHONE)
    mail = identifier("email", MAILBOX)
    role = identifier("email", "info@brand.cn", flag="role")
    shared = identifier("anonymous_id", "cookie-of-both", "site")
    return {
        "order_header": [
            record("o1", "2025-01-01", "a1", phone, mail),
            record("o2", "2025-01-02", "a1", phone),
            record("o3", "2025-02-01", "a2", phone),
            record("o4", "2025-01-05", "b1", other, role),
            record("o5", "2025-01-06", "a1", role),
            record("o6", "2025-01-07", "b1", identifier("wx_openid", "same", "app1")),
            record("o7", "2025-01-07", "a1", identifier("wx_openid", "same", "app2")),
            record("o8", "2025-01-08", "c1", identifier("phone", GUEST_PHONE)),
            record("o9", "2025-01-09", "c2", identifier("phone", GUEST_PHONE)),
            record("o10", "2025-01-10", "d1", identifier("phone", MOVED_PHONE)),
            record("o11", "2025-06-10", "d2", identifier("phone", MOVED_PHONE)),
        ],
        "identity_link": [
            {
                "source_system": "crm",
                "source_record_id": "l1",
                "action": "unbind",
                "link_at": "2025-05-01 00:00:00",
                "left_type": "account",
                "left_scope": "shop",
                "left_value": "d1",
                "right_type": "phone",
                "right_value": TOKENS.token("phone", "", MOVED_PHONE),
            }
        ],
        "event": [
            visit("e1", "shop:a1", identifier("anonymous_id", "cookie", "site")),
            visit("e5", "shop:a1", identifier("anonymous_id", "cookie", "site")),
            visit("e2", None, *(identifier("anonymous_id", c, "site") for c in ("cookie", "old"))),
            visit("e3", "shop:a1", shared),
            visit("e4", "shop:b1", shared, day="2025-04-01"),
        ],
    }


def planted_graphs() -> list[dict]:
    """Orders that draw random graphs of accounts and values, each on letters of its own.

    A value stands in a scope of its own, so that no limit of its type ever cuts a graph.
    """
    draw = random.Random(11)
    rows = []
    for graph in range(GRAPHS):
        size = draw.randint(3, 10)
        accounts = {n for n in range(size) if draw.random() < 0.4}
        for number in range(draw.randint(size - 1, size + 4)):
            members = draw.sample(range(size), draw.choice([2, 2, 2, 3]))
            named = [n for n in members if n in accounts][:1]
            ids = [
                identifier("tb_ouid", f"value{n}", f"g{graph}v{n}")
                for n in members
                if n not in accounts
            ]
            account = f"shop{named[0]}:g{graph}a{named[0]}" if named else None
            day = f"2025-01-{1 + number:02d}"
            rows.append(record(f"g{graph}o{number}", day, account, *ids, system="till"))
    known = [record(f"k{n}", "2025-01-01", "k", system=f"shop{n}") for n in range(10)]
    return rows + known


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("explain")
    landed = people()
    landed["order_header"] += planted_graphs()
    write_landed(root, landed)
    cannot = {
        "action": "cannot",
        "left_type": "account",
        "left_scope": "shop",
        "left_token": "c2",
        "right_type": "phone",
        "right_scope": "",
        "right_token": TOKENS.token("phone", "", GUEST_PHONE),
        "author": "ann",
        "reason": "a gift",
    }
    columns = {name: [cannot.get(name)] for name in RULES["manual_link"].split()}
    schema = pa.schema([(name, pa.string()) for name in columns])
    pq.write_table(
        pa.table(columns, schema=schema),
        root / "landed" / "rules" / "manual_link" / "rules.parquet",
    )
    vault = root / "vault" / "tokens" / "direct" / "order_header"
    vault.mkdir(parents=True)
    raw = {
        "token": [TOKENS.token("phone", "", PHONE)],
        "id_type": ["phone"],
        "id_scope": [""],
        "raw_value": ["138 1234 5678"],
        "normalised": [PHONE],
    }
    pq.write_table(pa.table(raw), vault / "one.parquet")
    build(root, "+identity_review", "+int_identity__members", "+int_identity__rejected_edges")
    return root


@pytest.fixture
def perennial(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `perennial explain ...` in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("PERENNIAL_DATA", str(root))
    monkeypatch.setenv("PERENNIAL_KEY", KEY)

    def ask(*arguments: str) -> tuple[int, str, str]:
        code = main(["explain", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return ask


@pytest.fixture
def answer(perennial: Callable[..., tuple[int, str, str]]) -> Callable[..., dict]:
    def ask(*arguments: str) -> dict:
        code, out, err = perennial(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return ask


@pytest.fixture(scope="module")
def warehouse(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def accepted_evidence(warehouse: duckdb.DuckDBPyConnection) -> set[tuple]:
    """Evidence that joins its two ends, as the models have it."""
    return set(
        warehouse.execute(
            "select node_a, node_b, source_system, rule from identity.int_identity__judged_edges "
            "except select node_a, node_b, source_system, rule "
            "from identity.int_identity__rejected_edges"
        ).fetchall()
    )


def test_raw_values_tokens_and_accounts_name_the_same(answer: Callable[..., dict]) -> None:
    token = TOKENS.token("phone", "", PHONE)
    spelled = ("phone:138-1234-5678", "PHONE:+86 138 1234 5678", f"phone:token:{token[:9]}")
    answers = [answer(spelling, "account@shop:a2") for spelling in spelled]
    assert answers[0]["is_one_customer"]
    assert answers[0] == answers[1] == answers[2]
    assert answer("account:a2", "phone:13812345678")["weakest"] == answers[0]["weakest"]


def test_the_weakest_link_stands_first_and_the_path_in_order(
    perennial: Callable[..., tuple[int, str, str]], answer: Callable[..., dict]
) -> None:
    found = answer("account@shop:a2", "anonymous_id@site:old")
    hops = [(link["a"]["identifier"], link["b"]["identifier"]) for link in found["path"]]
    assert [left for left, _ in hops[1:]] == [right for _, right in hops[:-1]]
    assert hops[0][0] == "account@shop:a2"
    types = [link["b"]["id_type"] for link in found["path"]]
    assert types == ["phone", "account", "anonymous_id", "anonymous_id"]
    # Two cookies on one page view are the weakest of it all.
    weakest = {found["weakest"][end]["id_type"] for end in "ab"}
    assert weakest == {"anonymous_id"}
    code, out, _ = perennial("account@shop:a2", "anonymous_id@site:old")
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert "are one customer: c_" in lines[0]
    assert lines[2] == "Weakest link"
    assert lines[3].count("anonymous_id@site:token:") == 2
    assert lines[4] == "site event: 1 record, 2025-03-01"
    assert lines[6] == "The whole path, 4 links"
    assert "138" not in out.replace(lines[0], "")


def test_evidence_on_a_link_names_source_rule_dates_and_records(
    answer: Callable[..., dict],
) -> None:
    (link,) = answer("account@shop:a1", "phone:13812345678")["path"]
    assert link["evidence"] == [
        {
            "source_system": "shop",
            "rule": "order_header",
            "first_seen_at": "2025-01-01 00:00:00",
            "last_seen_at": "2025-01-02 00:00:00",
            "record_count": 2,
            "reason": None,
        }
    ]


def test_two_customers_see_what_was_refused_between_them(
    perennial: Callable[..., tuple[int, str, str]], answer: Callable[..., dict]
) -> None:
    found = answer("account@shop:a1", "account@shop:b1")
    assert not found["is_one_customer"]
    assert len(set(found["customers"])) == 2
    refused = Counter(item["reason"] for link in found["rejected"] for item in link["evidence"])
    assert refused == {"role": 3}
    assert [end["id_type"] for end in found["shared_in_turn"]] == ["anonymous_id"]
    code, out, _ = perennial("account@shop:a1", "account@shop:b1")
    assert code == 0
    assert "are not one customer." in out
    assert "rejected: role" in out
    assert "Each one's for a time" in out


def test_a_manual_rule_between_two_customers_is_named(
    perennial: Callable[..., tuple[int, str, str]], answer: Callable[..., dict]
) -> None:
    found = answer("account@shop:c1", "account@shop:c2")
    assert not found["is_one_customer"]
    (stated,) = found["separated_by"]
    assert (stated["source_system"], stated["action"]) == ("manual", "cannot")
    (link,) = found["rejected"]
    assert [item["reason"] for item in link["evidence"]] == ["cannot"]
    assert "manual: cannot" in perennial("account@shop:c1", "account@shop:c2")[1]


def test_a_value_that_moved_is_explained_to_each_of_its_persons(
    perennial: Callable[..., tuple[int, str, str]], answer: Callable[..., dict]
) -> None:
    phone = "phone:13612345678"
    assert answer("account@shop:d1", phone)["is_one_customer"]
    assert answer("account@shop:d2", phone)["is_one_customer"]
    assert not answer("account@shop:d1", phone, "--on", "2025-06-30")["is_one_customer"]
    assert answer("account@shop:d1", phone, "--on", "2025-04-30")["is_one_customer"]
    code, out, _ = perennial("account@shop:d1", phone, "--on", "2025-06-30")
    assert code == 0
    assert "until 2025-05-01 00:00: c_" in out
    assert "from 2025-05-01 00:00: c_" in out
    assert "crm: unbind, 2025-05-01" in out
    cookie = "anonymous_id@site:cookie-of-both"
    assert answer("account@shop:a1", cookie)["is_one_customer"]
    assert answer("account@shop:b1", cookie)["is_one_customer"]
    assert len(answer("account@shop:b1", cookie)["asked"][1]["periods"]) == 2


def test_what_stands_for_nobody_says_why(
    perennial: Callable[..., tuple[int, str, str]], answer: Callable[..., dict]
) -> None:
    assert answer("email:info@brand.cn")["asked"]["nobody_because"] == "role"
    found = answer("email:info@brand.cn", "account@shop:a1")
    assert found["customers"][0] is None
    assert "stands for nobody (role)" in perennial("email:info@brand.cn", "account@shop:a1")[1]


def test_a_customer_shows_every_link_weakest_first(
    perennial: Callable[..., tuple[int, str, str]],
    answer: Callable[..., dict],
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    customer = answer("phone:13812345678")
    assert customer == answer(customer["customer_id"])
    assert customer["account_count"] == 2
    assert len(customer["identifiers"]) == 8
    assert all(item["rule"] for link in customer["links"] for item in link["evidence"])
    accepted = accepted_evidence(warehouse)
    names = {
        row[1:]: row[0]
        for row in warehouse.execute(
            "select node_key, id_type, id_scope, id_value from identity.int_identity__identifiers"
        ).fetchall()
    }
    shown = set()
    for link in customer["links"]:
        ends = sorted(
            names[end["id_type"], end["id_scope"], end["id_value"]]
            for end in (link["a"], link["b"])
        )
        shown |= {(*ends, item["source_system"], item["rule"]) for item in link["evidence"]}
    nodes = {
        names[node["id_type"], node["id_scope"], node["id_value"]]
        for node in customer["identifiers"]
    }
    assert shown == {row for row in accepted if set(row[:2]) <= nodes}
    weak = [{link["a"]["id_type"], link["b"]["id_type"]} for link in customer["links"]]
    assert weak[0] == {"anonymous_id"}
    assert [bridge["identifier"]["id_type"] for bridge in customer["bridges"]] == ["account"]
    assert customer["bridges"][0]["other"]["id_type"] == "phone"
    code, out, _ = perennial(customer["customer_id"], "--limit", "2")
    assert code == 0
    assert "Links (" in out
    assert "... and 6 more; --limit 0 shows all" in out
    assert "Without one of these it falls apart (1), worst first" in out


def test_every_pair_inside_every_customer_has_a_path_of_accepted_evidence(
    root: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    accepted = accepted_evidence(warehouse)
    members = defaultdict(list)
    for component, node in warehouse.execute(
        "select distinct component_key, node_key from identity.int_identity__components order by all"
    ).fetchall():
        members[component].append(node)
    pairs = 0
    with open_identity(DataPaths(root)) as identity:
        for component, nodes in members.items():
            links = identity.links(component)
            rank = {(link.node_a, link.node_b): place for place, link in enumerate(links)}
            tree = strongest_tree(links)
            assert len(tree) == len(nodes) - 1
            for a, b in itertools.combinations(nodes, 2):
                path = path_between(tree, a, b)
                assert path
                for link in path:
                    assert (link.node_a, link.node_b) in rank
                    assert link.evidence
                    for item in link.evidence:
                        found = (link.node_a, link.node_b, item.source_system, item.rule)
                        assert found in accepted
                pairs += 1
    assert pairs > 1_000


def test_every_pair_of_one_person_is_explained_by_the_command(
    root: Path, answer: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = answer("phone:13812345678")
    spelled = [node["identifier"] for node in customer["identifiers"]]
    for left, right in itertools.combinations(spelled, 2):
        found = explain(DataPaths(root), [left, right])
        assert found["is_one_customer"]
        assert found["weakest"]["record_count"] >= 1
        assert [end["identifier"] for end in found["asked"]] == [left, right]


def test_raw_values_show_only_when_asked_for(
    perennial: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ("account@shop:a1", "account@shop:a2")
    assert "138 1234 5678" not in perennial(*question)[1]
    assert "138 1234 5678" in perennial(*question, "--reveal")[1]
    monkeypatch.delenv("PERENNIAL_KEY")
    code, out, err = perennial(*question, "--reveal")
    assert (code, out) == (2, "")
    assert "PERENNIAL_KEY is not set" in err
    assert perennial(*question)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("phone:13899999999",), "on no record of the warehouse"),
        (("account@nowhere:1", "account@shop:a1"), "with scope nowhere) is on no record"),
        (("telephone:13812345678",), "no identifier type called telephone"),
        (("13812345678",), "begins with its type"),
        (("phone:",), "has no value"),
        (("wx_openid@app1",), "has a scope but no value"),
        (("account@shop:a1", "account@shop:a1"), "Both are the same identifier"),
        (("c_0123456789abcdef01234567",), "neither in use nor in the id history"),
        (("phone:1", "phone:2", "phone:3"), "takes two identifiers"),
        ((), "takes two identifiers"),
        (("account@shop:a1", "--bridges"), "--bridges alone"),
        (("account@shop:a1", "--limit", "-1"), "--limit must be 0"),
        (("account@shop:a1", "--on", "soon"), "--on must be a day"),
        (("anonymous_id:token:",), "has no value"),
    ],
)
def test_mistakes_get_one_sentence_without_the_value(
    perennial: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = perennial(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert "138" not in err


def test_a_value_in_several_scopes_asks_for_one(
    perennial: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, err = perennial("wx_openid:same")
    assert code == 2
    assert "found in 2 scopes of wx_openid" in err
    assert "app1, app2" in err
    assert perennial("wx_openid@app1:same", "account@shop:b1")[0] == 0


def test_nothing_built_and_a_run_at_work_say_so(
    root: Path,
    perennial: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holding = (
        "import sys, time, duckdb, pathlib\n"
        "from orchestration.runtime.lock import run_lock\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "with run_lock(root / 'run.lock', 'the-run'), duckdb.connect(str(root / 'warehouse.duckdb')):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "data").mkdir()
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as empty:
        empty.execute("create table unrelated (a integer)")
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path / "none"))
    assert perennial("phone:1")[0] == 2
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path / "data"))
    code, _, err = perennial("phone:1")
    assert code == 2
    assert "lacks identity tables" in err
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(tmp_path / "data")],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        code, _, err = perennial("phone:1")
        holder.kill()
    assert code == 1
    assert "Run the-run" in err
    assert err.count("\n") == 1


@pytest.fixture
def with_history(
    root: Path, tmp_path: Path, answer: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Lin's id, on a copy of the warehouse whose history says that another one was merged into it."""
    lin = answer("account@shop:a1")["customer_id"]
    shutil.copy(root / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        a, b = connection.execute(
            "select node_a, node_b from identity.int_identity__judged_edges as e "
            "join identity.int_identity__identifiers as i on i.node_key in (e.node_a, e.node_b) "
            "where i.id_value = 'a2'"
        ).fetchone()
        connection.execute(
            "create or replace table identity.identity_id_history as select * from (values "
            f"('{lin}', '{lin}', 'born', timestamp '2025-01-01', null, 'r1', 1, null, null, null, null), "
            f"('{OLD}', '{OLD}', 'born', timestamp '2025-01-01', timestamp '2025-02-01', 'r1', 2, null, null, null, null), "
            f"('{OLD}', '{lin}', 'merged', timestamp '2025-02-01', null, 'r2', 2, {a}, {b}, 'order_header', 'shop'), "
            f"('{GONE}', null, 'retired', timestamp '2025-02-01', null, 'r2', 3, null, null, null, null)"
            ") as t(customer_id, current_customer_id, event, valid_from, valid_to, run_id, anchor_key, "
            "caused_by_node_a, caused_by_node_b, caused_by_rule, caused_by_source)"
        )
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path))
    return lin


def test_an_id_that_was_given_up_says_where_it_went_and_why(
    with_history: str, perennial: Callable[..., tuple[int, str, str]], answer: Callable[..., dict]
) -> None:
    lin = answer(with_history)
    assert lin["became"] is None
    assert [event["customer_id"] for event in lin["former_ids"]] == [OLD]
    old = answer(OLD)
    assert old["became"]["current_customer_id"] == with_history == old["customer_id"]
    assert {old["became"][end]["id_type"] for end in "ab"} == {"account", "phone"}
    assert old | {"became": None} == lin
    said = perennial(OLD)[1].splitlines()[0]
    assert said.startswith(f"{OLD} is {with_history} now: merged, 2025-02-01, because of ")
    assert said.endswith("(shop order_header)")
    assert perennial(GONE)[1] == f"{GONE} stands for nobody now: retired, 2025-02-01\n"
    assert answer(OLD, "account@shop:b1")["customers"][0] == with_history


def parts_without(
    nodes: set[int], pairs: set[tuple[int, int]], cut: tuple[int, int]
) -> list[set[int]]:
    """Parts of a graph without a link, or without a node (cut twice), by the plainest search."""
    left = nodes - {cut[0]} if cut[0] == cut[1] else set(nodes)
    neighbours = defaultdict(set)
    for a, b in pairs - {cut}:
        neighbours[a].add(b)
        neighbours[b].add(a)
    parts = []
    while left:
        part, waiting = set(), [min(left)]
        while waiting:
            node = waiting.pop()
            if node in left:
                left.remove(node)
                part.add(node)
                waiting += neighbours[node]
        parts.append(part)
    return parts


def test_the_review_has_exactly_the_bridges_that_brute_force_finds(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    facts = {
        row[0]: row[1:]
        for row in warehouse.execute(
            "select node_key, is_account, strength = 'strong', concat_ws('|', id_type, id_scope, "
            "id_value) from identity.int_identity__identifiers"
        ).fetchall()
    }
    graphs = defaultdict(set)
    component = dict(
        warehouse.execute(
            "select node_key, component_key from identity.int_identity__components "
            "where membership = 'strong'"
        ).fetchall()
    )
    for node, key in component.items():
        graphs[key].add(node)
    pairs = defaultdict(set)
    for a, b in warehouse.execute(
        "select node_a, node_b from identity.int_identity__judged_edges "
        "where kind = 'strong' and reason is null"
    ).fetchall():
        pairs[component[a]].add((a, b))

    def size(part: set[int]) -> tuple[int, int]:
        return sum(facts[n][0] for n in part), sum(facts[n][1] for n in part)

    expected = set()
    for key, nodes in graphs.items():
        values = {(node, node) for node in nodes if not facts[node][0]}
        for cut in pairs[key] | values:
            parts = parts_without(nodes, pairs[key], cut)
            sizes = [size(part) for part in parts]
            if sum(a >= 1 for a, _ in sizes) < 2 and sum(s >= 2 for _, s in sizes) < 2:
                continue
            rest = min(parts, key=lambda p: (-size(p)[0], -size(p)[1], min(p)))
            side = set().union(*(part for part in parts if part is not rest))
            links = 1
            if cut[0] == cut[1]:
                links = sum(cut[0] in pair and bool(set(pair) & side) for pair in pairs[key])
                if links == 1:
                    continue
            names = tuple(facts[node][2] for node in dict.fromkeys(cut))
            expected.add((names, *size(side), *size(rest), links))
    found = [
        ((row[0],) if row[1] is None else (row[0], row[1]), *row[2:])
        for row in warehouse.execute(
            "select concat_ws('|', id_type, id_scope, id_value), case when is_link then "
            "concat_ws('|', other_id_type, other_id_scope, other_id_value) end, "
            "side_account_count, side_strong_count, rest_account_count, rest_strong_count, "
            "link_count from identity.identity_review order by review_rank"
        ).fetchall()
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert {len(row[0]) for row in found} == {1, 2}
    assert len(found) > 50
    sides = [row[1:3] for row in found]
    assert sides == sorted(sides, reverse=True)


links = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3), st.integers(1, 3))
    .filter(lambda row: row[0] < row[1])
    .map(lambda row: Link(*row[:3], (Evidence("s", "r", None, None, row[3]),))),
    max_size=20,
    unique_by=lambda link: (link.node_a, link.node_b),
)


@given(links)
def test_no_other_path_has_a_stronger_weakest_link(drawn: list[Link]) -> None:
    order = {link: place for place, link in enumerate(sorted(drawn, key=lambda x: x.rank))}
    best: dict[tuple[int, int], int] = {}
    for link, place in order.items():
        best[link.node_a, link.node_b] = best[link.node_b, link.node_a] = place
    for over, a, b in itertools.product(range(7), repeat=3):
        if a != b and (a, over) in best and (over, b) in best:
            through = max(best[a, over], best[over, b])
            best[a, b] = min(best.get((a, b), through), through)
    tree = strongest_tree(drawn)
    for a, b in itertools.combinations(range(7), 2):
        path = path_between(tree, a, b)
        assert (max(map(order.get, path)) if path else None) == best.get((a, b))
