"""The dry run on the demo: what it says comes true on paper, and the data root stays as it was, byte for byte."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from checkout import PROJECT, environment

COPIED = (
    "orchestration",
    "models",
    "macros",
    "seeds",
    "tests/generic",
    "dbt_project.yml",
    "profiles.yml",
    "dagster.yaml",
)
# Two customers of one account each that share no identifier type of which a person has only one.
STRANGERS = """
    with customers as (
        select
            customer_id, list(distinct id_type || id_scope) as types,
            max(case when id_type = 'email' then id_value end) as email
        from core.bridge_customer_identifier
        group by customer_id
        having count(*) filter (where id_type = 'account') = 1
            and count(*) filter (where id_type = 'email') = 1
    ),
    buyers as (
        select customer_id, count(*) as orders, sum(net_amount) as net
        from core.fct_order group by customer_id
    )
    select a.customer_id, b.customer_id, a.email, b.email, o.orders, o.net, p.orders, p.net
    from customers as a
    inner join customers as b
        on a.customer_id < b.customer_id
        and len(list_filter(list_intersect(a.types, b.types), lambda x : x not in ('email', 'phone'))) = 0
    inner join buyers as o on o.customer_id = a.customer_id
    inner join buyers as p on p.customer_id = b.customer_id
    order by a.customer_id, b.customer_id limit 1
"""


@dataclass(frozen=True)
class Trial:
    """A copy of the checkout whose rules may be edited, and a data root of its own."""

    checkout: Path
    data: Path

    def dry_run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli", "identity", "--dry-run", *arguments],
            cwd=self.checkout, env=environment(self.data, PYTHONPATH=str(self.checkout), **extra) | {"DBT_TARGET_PATH": str(self.checkout / "target")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def add_row(self, seed: str, **values: str) -> None:
        file = self.checkout / "seeds" / f"{seed}.csv"
        with file.open(newline="") as lines:
            header = next(csv.reader(lines))
        with file.open("a", newline="") as lines:
            csv.DictWriter(lines, header, lineterminator="\n").writerow(values)


@pytest.fixture
def trial(demo_root: Path, tmp_path: Path) -> Trial:
    checkout, data = tmp_path / "checkout", tmp_path / "data"
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(
                PROJECT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(PROJECT / name, checkout / name)
    shutil.copytree(demo_root, data, ignore=shutil.ignore_patterns("target", "truth"))
    return Trial(checkout, data)


def tree(root: Path) -> dict[str, tuple[str, int, int]]:
    """Bytes, mode and time of every file under a folder but the run lock, and every folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.name != "run.lock":
            stat = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(root))] = (content, stat.st_mode, stat.st_mtime_ns)
    return found


def parts_without(connection: duckdb.DuckDBPyConnection, node: int) -> int:
    """How many pieces with an account a customer falls into when one of its identifiers stands for nobody."""
    edges = connection.execute(
        """
        select e.node_a, e.node_b from identity.int_identity__judged_edges as e
        inner join identity.int_identity__components as a on a.node_key = e.node_a
        inner join identity.int_identity__components as b on b.node_key = e.node_b
        where e.reason is null and e.kind = 'strong' and a.component_key = b.component_key
            and a.component_key =
                (select component_key from identity.int_identity__components where node_key = ?)
        """,
        [node],
    ).fetchall()
    near = defaultdict(set)
    for one, other in edges:
        near[one].add(other)
        near[other].add(one)
    pieces, left = 0, set(near) - {node}
    while left:
        wave = {left.pop()}
        pieces += 1
        while wave:
            wave = {far for one in wave for far in near[one]} & left
            left -= wave
    return pieces


def hinge(connection: duckdb.DuckDBPyConnection, not_in: tuple[str, ...]) -> tuple:
    """A phone without which its customer falls into two: node key, token and customer."""
    for node, token, customer in connection.execute(
        """
        select i.node_key, i.id_value, b.customer_id
        from identity.int_identity__identifiers as i
        inner join core.bridge_customer_identifier as b
            on b.id_type = i.id_type and b.id_scope = i.id_scope and b.id_value = i.id_value
        where i.id_type = 'phone'
            and b.customer_id in (
                select customer_id from identity.int_identity__customer_ids
                where account_count = 2
            )
        order by i.node_key
        """
    ).fetchall():
        if customer not in not_in and parts_without(connection, node) == 2:
            return node, token, customer
    raise AssertionError("no customer of the demo hangs together by one phone")


def test_a_dry_run_tells_what_rules_and_files_would_do(trial: Trial) -> None:
    """A must-link merges two strangers, a blocked phone splits a customer, a new file brings a new one."""
    with duckdb.connect(str(trial.data / "warehouse.duckdb"), read_only=True) as connection:
        one, other, email, other_email, *money = connection.execute(STRANGERS).fetchone()
        node, phone, split = hinge(connection, (one, other))
        edges = connection.execute(
            "select count(*) from identity.int_identity__judged_edges where ? in (node_a, node_b) and reason is null",
            [node],
        ).fetchone()[0]
    trial.add_row(
        "manual_link", action="must", left_type="email", left_value=f"token:{email}",
        right_type="email", right_value=f"token:{other_email}", author="a", reason="told so",
    )  # fmt: skip
    trial.add_row("blocklist", id_type="phone", id_value=f"token:{phone}", reason="a test")
    new = trial.data / "landing" / "direct" / "account" / "new.csv"
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(
        "source_system,source_record_id,email_raw,registered_at\nclub,brand-new,brand.new@mail.example,2026-06-01T00:00:00Z\n"
    )
    before = tree(trial.data)
    done = trial.dry_run("--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(trial.data) == before
    assert sorted(path.name for path in trial.data.parent.iterdir()) == ["checkout", "data"]
    said = json.loads(done.stdout)
    assert "1 files landed (1 records" in done.stderr

    (merge,) = said["largest_merges"]
    assert {part["customer_id"] for part in merge["parts"]} == {one, other}
    assert merge["customer_id"] in (one, other)
    orders, net = money[2:] if merge["customer_id"] == one else money[:2]
    (gone,) = [p for p in merge["parts"] if p["customer_id"] != merge["customer_id"]]
    assert (gone["orders"], gone["net_amount"]) == (orders, f"{net:.4f}")

    (case,) = said["largest_splits"]
    assert case["customer_id"] == split and len(case["parts"]) == 2
    assert (said["merged"], said["merged_into"]) == (2, 1)
    assert (said["split"], said["split_into"]) == (1, 2)
    known = said["customers"]
    assert known["after"]["known"] == known["before"]["known"] - 1 + 1 + 1
    assert (said["identifiers"]["dropped"], said["identifiers"]["added"]) == (1, 2)
    rejected = {row["reason"]: row["after"] - row["before"] for row in said["rejected"]}
    assert rejected["blocklist"] == edges
    assert said["orders"]["moved"] >= orders and said["orders"]["new"] == 0


def test_a_bad_rule_stops_it_in_one_sentence(trial: Trial) -> None:
    trial.add_row("blocklist", id_type="fax", id_value="1", reason="nobody has one")
    before = tree(trial.data)
    done = trial.dry_run()
    assert done.returncode == 2
    assert "seeds/blocklist.csv row" in done.stderr and "fax" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert tree(trial.data) == before


def test_a_data_root_without_a_build_or_in_use_stops_it(trial: Trial) -> None:
    held = trial.data / "run.lock"
    with held.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps({"run_id": "r1", "pid": os.getpid(), "started_at": "now"}))
        file.flush()
        done = trial.dry_run()
    assert done.returncode == 1 and "Run r1" in done.stderr
    (trial.data / "warehouse.duckdb").unlink()
    done = trial.dry_run()
    assert done.returncode == 2 and "Nothing has been built" in done.stderr
    with duckdb.connect(str(trial.data / "warehouse.duckdb")) as connection:
        connection.execute("create table t (a int)")
    done = trial.dry_run()
    assert done.returncode == 2 and "Nothing has been built" in done.stderr
    assert len(done.stderr.splitlines()) == 1
