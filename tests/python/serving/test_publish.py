"""Publishing: readers see whole versions only, whatever happens, and nothing that failed its audit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import UserError
from orchestration.landing import ledger as ledgers
from orchestration.landing.ledger import Ledger, LedgerRow
from orchestration.runtime.paths import DataPaths
from orchestration.runtime.record import BuildRecord, fingerprint
from orchestration.runtime.settings import project_settings
from orchestration.serving.audit import NotPublishedError
from orchestration.serving.publish import publish
from orchestration.serving.versions import Manifest, describe, kept, live, roll_back

MODELS = {
    "dim_customer": ("core", "public"),
    "customer_clv": ("marts", "public"),
    "reconciliation_files": ("marts", "public"),
    "reconciliation_daily": ("marts", "public"),
    "int_hidden": ("marts", "protected"),
}
READER = """
import sys, duckdb
from pathlib import Path
path, stop = sys.argv[1], Path(sys.argv[2])
seen, reads = {}, 0
print("ready", flush=True)
while not stop.exists():
    with duckdb.connect(path, read_only=True) as c:
        version = c.execute("select version_id from published_version").fetchone()[0]
        a = c.execute("select min(build), max(build), count(*) from dim_customer").fetchone()
        b = c.execute("select min(build), max(build), count(*) from customer_clv").fetchone()
    assert a[0] == a[1] == b[0] == b[1], (a, b)
    assert a[2] == b[2] == 20000, (a, b)
    assert seen.setdefault(version, a[0]) == a[0]
    reads += 1
print(reads, len(seen))
"""


def build(root: Path, number: int, **record: object) -> DataPaths:
    """A warehouse as a build leaves it: every row says which build it is of."""
    paths = DataPaths(root)
    paths.target.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(paths.warehouse)) as c:
        c.execute("create schema if not exists core; create schema if not exists marts")
        for table in ("core.dim_customer", "marts.customer_clv"):
            c.execute(
                f"create or replace table {table} as select i, {number} as build, 'c_' || i as customer_id from range(20000) t(i)"
            )
        c.execute("create or replace view marts.int_hidden as select 1 as secret")
        c.execute(
            "create or replace table marts.reconciliation_files as select 'pos' as channel, 'receipts' as table_name, "
            "'f1' as file_sha, 1000::bigint as raw_records, 990::bigint as loaded_records, 10::bigint as quarantined_records, "
            "0::bigint as difference_records"
        )
        c.execute(
            "create or replace table marts.reconciliation_daily as select 0::decimal(18,4) as difference_value"
        )
    nodes = {
        f"model.perennial.{name}": {
            "name": name, "alias": name, "schema": schema, "access": access, "resource_type": "model",
            "description": f"What {name} is; it's public.", "columns": {},
        }
        for name, (schema, access) in MODELS.items()
    }  # fmt: skip
    (paths.target / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    land(paths, "f1")
    values = {
        "run_id": f"run-{number}", "finished_at": "2026-07-01T00:00:00+00:00", "has_passed": True, "is_complete": True,
        "summary": "", "as_of": "2026-06-30", "settings": project_settings(), "warehouse": fingerprint(paths),
    }  # fmt: skip
    BuildRecord(**(values | record)).write(paths)
    return paths


def land(paths: DataPaths, sha: str, run_id: str = "landing-run") -> None:
    ledger = Ledger(paths.root)
    ledger.replace(
        LedgerRow(
            "pos",
            "receipts",
            f"{sha}.csv",
            ledgers.LANDED,
            datetime(2026, 7, 1),
            run_id,
            file_sha=sha,
        )
    )
    ledger.close()


def change(paths: DataPaths, sql: str) -> None:
    """Change the warehouse as the build would have left it."""
    with duckdb.connect(str(paths.warehouse)) as connection:
        connection.execute(sql)
    record = json.loads(paths.build_record.read_text()) | {"warehouse": fingerprint(paths)}
    paths.build_record.write_text(json.dumps(record))


def read(path: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_what_is_published(tmp_path: Path) -> None:
    paths = build(tmp_path, 1)
    published = publish(paths, "run-1234567890")
    tables = read(
        paths.published,
        "select table_name, comment from duckdb_tables() where schema_name = 'main' order by 1",
    )
    assert [name for name, _ in tables] == [
        "customer_clv", "dim_customer", "published_version", "reconciliation_daily", "reconciliation_files",
    ]  # fmt: skip
    assert tables[0][1] == "What customer_clv is; it's public."
    row = read(
        paths.published,
        "select version_id, as_of::varchar, run_id, project_version, reporting_currency from published_version",
    )
    assert row == [(published.manifest.version, "2026-06-30", "run-1234567890", "0.1.0", "CNY")]
    manifest = json.loads(paths.manifest.read_text())
    assert describe(paths.published) == Manifest(**manifest) == published.manifest
    assert manifest["sha256"] == hashlib.sha256(paths.published.read_bytes()).hexdigest()
    assert manifest["row_counts"]["dim_customer"] == 20000
    assert sorted(path.name for path in paths.serving.iterdir()) == [
        "manifest.json",
        "marts.duckdb",
        "versions",
    ]
    assert paths.published.stat().st_mode & 0o777 == 0o444


def test_a_view_is_published_over_the_published_tables(tmp_path: Path) -> None:
    paths = build(tmp_path, 3)
    file = paths.target / "manifest.json"
    manifest = json.loads(file.read_text())
    for node in manifest["nodes"].values():
        node["relation_name"] = f'"warehouse"."{node["schema"]}"."{node["alias"]}"'
    manifest["nodes"]["model.perennial.customer_days"] = {
        "name": "customer_days", "alias": "customer_days", "schema": "marts", "access": "public",
        "resource_type": "model", "description": "Days.", "columns": {},
        "relation_name": '"warehouse"."marts"."customer_days"',
        "config": {"meta": {"published_as": "view"}},
        "compiled_code": 'select i, build from "warehouse"."core"."dim_customer" where i < 3',
    }  # fmt: skip
    file.write_text(json.dumps(manifest))
    published = publish(paths, "run")
    assert published.manifest.row_counts["customer_days"] == 3
    with duckdb.connect() as connection:
        connection.execute(f"attach '{paths.published}' as elsewhere (read_only)")
        found = connection.execute("select max(build) from elsewhere.customer_days").fetchall()
        views = connection.execute(
            "select view_name, comment from duckdb_views() where not internal"
        ).fetchall()
    assert (found, views) == ([(3,)], [("customer_days", "Days.")])


def test_any_duckdb_from_1_0_on_can_open_it(tmp_path: Path) -> None:
    paths = build(tmp_path, 1)
    publish(paths, "run")
    # The number of the storage format stands behind the magic bytes: 64 is what DuckDB 1.0 writes.
    head = paths.published.read_bytes()[:20]
    assert head[8:12] == b"DUCK"
    assert int.from_bytes(head[12:20], "little") == 64


def test_the_last_three_versions_stay(tmp_path: Path) -> None:
    versions = [publish(build(tmp_path, number), "run").manifest.version for number in range(5)]
    kept = sorted((tmp_path / "serving" / "versions").glob("*.duckdb"))
    assert [path.stem for path in kept] == versions[-3:]
    assert read(kept[0], "select max(build) from dim_customer") == [(2,)]
    assert kept[-1].samefile(tmp_path / "serving" / "marts.duckdb")
    manifests = sorted((tmp_path / "serving" / "versions").glob("*.json"))
    assert [path.stem for path in manifests] == versions[-3:]


def test_rolling_back_and_forth(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    first, second, third = (publish(build(tmp_path, number), "run").manifest for number in range(3))
    reader = duckdb.connect()
    reader.execute(f"attach '{paths.published}' as live (read_only)")
    assert roll_back(paths) == second
    assert read(paths.published, "select max(build) from dim_customer") == [(1,)]
    assert json.loads(paths.manifest.read_text())["version"] == second.version
    assert reader.execute("select max(build) from live.dim_customer").fetchone() == (2,)
    assert roll_back(paths) == first
    assert roll_back(paths, third.version) == third
    assert kept(paths) == [second.version, first.version, third.version]
    roll_back(paths, first.version)
    fourth = publish(build(tmp_path, 4), "run").manifest
    assert live(paths) == fourth.version
    assert kept(paths) == [third.version, first.version, fourth.version]
    assert roll_back(paths) == first


def test_what_cannot_be_rolled_back_to(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    with pytest.raises(UserError, match="kept are none"):
        roll_back(paths)
    first, second, third = (
        publish(build(tmp_path, number), "run").manifest.version for number in range(3)
    )
    file = paths.versions / f"{second}.duckdb"
    for wanted, said in (
        ("19", "no kept version is called 19"),
        ("20", "20 is the beginning of 3 versions"),
        (third, "is live already"),
    ):
        with pytest.raises(UserError, match=said):
            roll_back(paths, wanted)
    whole = file.read_bytes()
    file.unlink()
    for damaged in (
        whole[:-1] + bytes([whole[-1] ^ 1]),
        whole[:5000],
        b"no database",
        Path(paths.versions / f"{first}.duckdb").read_bytes(),
    ):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"not what was published|damaged"):
            roll_back(paths)
        assert live(paths) == third
        assert json.loads(paths.manifest.read_text())["version"] == third
    file.unlink()
    assert roll_back(paths).version == first


def test_readers_see_whole_versions_while_twenty_are_published(tmp_path: Path) -> None:
    paths = build(tmp_path, 0)
    publish(paths, "run")
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(paths.published), str(stop)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    for number in range(1, 21):
        publish(build(tmp_path, number), "run")
    stop.touch()
    for reader in readers:
        reads, versions = map(int, reader.communicate(timeout=60)[0].split())
        assert reader.returncode == 0
        assert reads >= 20
        assert versions >= 10


def test_an_open_reader_keeps_its_version(tmp_path: Path) -> None:
    paths = build(tmp_path, 1)
    publish(paths, "run")
    with duckdb.connect(str(paths.published), read_only=True) as reader:
        publish(build(tmp_path, 2), "run")
        assert reader.execute("select max(build) from dim_customer").fetchone() == (1,)
    assert read(paths.published, "select max(build) from dim_customer") == [(2,)]


KILLED = """
import sys
from pathlib import Path
from orchestration.runtime.paths import DataPaths
from orchestration.serving.publish import publish
from orchestration.serving.versions import Manifest, describe, kept, live, roll_back
print("go", flush=True)
publish(DataPaths(Path(sys.argv[1])), "killed-run")
"""


def test_a_kill_at_any_moment_leaves_a_whole_version(tmp_path: Path) -> None:
    old = publish(build(tmp_path, 1), "run").manifest.version
    paths = build(tmp_path, 2)
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], check=True, stdout=subprocess.DEVNULL
    )
    whole = time.monotonic() - started
    assert read(paths.published, "select max(build) from dim_customer") == [(2,)]
    for step in range(12):
        before = read(paths.published, "select version_id from published_version")
        build(tmp_path, 3 + step)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert process.stdout.readline()
        time.sleep(whole * step / 24)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        version = read(paths.published, "select version_id from published_version")
        number = read(paths.published, "select min(build), max(build) from dim_customer")[0]
        assert number[0] == number[1]
        assert (version == before) == (number[1] != 3 + step)
    last = publish(build(tmp_path, 99), "run").manifest.version
    assert last > old
    assert json.loads(paths.manifest.read_text())["version"] == last
    assert not list(paths.serving.glob(".*"))
    assert len(list(paths.versions.glob("*.duckdb"))) == 3


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"has_passed": False, "failed": ["a_test"]}, "the last build failed in a_test"),
        ({"is_complete": False}, "a part of the project"),
        ({"warehouse": [1, 2]}, "changed the warehouse since its tests ran"),
    ],
)
def test_a_build_that_is_not_to_be_trusted(tmp_path: Path, record: dict, said: str) -> None:
    publish(build(tmp_path, 1), "run")
    paths = build(tmp_path, 2, **record)
    with pytest.raises(NotPublishedError, match=said):
        publish(paths, "run")
    assert read(paths.published, "select max(build) from dim_customer") == [(1,)]
    assert not list(paths.serving.glob(".*"))


def test_a_build_that_never_ended(tmp_path: Path) -> None:
    paths = build(tmp_path, 1)
    paths.build_record.unlink()
    with pytest.raises(NotPublishedError, match="no finished build"):
        publish(paths, "run")


@pytest.mark.parametrize(
    "sql",
    [
        "update marts.reconciliation_files set difference_records = 1",
        "update marts.reconciliation_files set difference_records = null",
        "update marts.reconciliation_daily set difference_value = 0.0001",
    ],
)
def test_what_does_not_reconcile(tmp_path: Path, sql: str) -> None:
    paths = build(tmp_path, 1)
    change(paths, sql)
    with pytest.raises(NotPublishedError, match="do not add up"):
        publish(paths, "run")
    assert not paths.published.exists()


def test_the_gate_lets_one_percent_through_with_a_warning(tmp_path: Path) -> None:
    published = publish(build(tmp_path, 1), "run")
    assert published.warnings == [
        "10 new records are in quarantine, at most 1.00% of a table (pos/receipts); `perennial status` lists the reasons"
    ]
    assert publish(build(tmp_path, 2), "run").warnings == []


def test_the_gate_judges_each_run_of_landing_by_itself(tmp_path: Path) -> None:
    """Eleven of a thousand are too many, also when a good delivery comes on top before the next try."""
    paths = build(tmp_path, 1)
    change(paths, "update marts.reconciliation_files set quarantined_records = 11")
    with pytest.raises(
        NotPublishedError, match=r"pos/receipts: 11 of 1000 .* landed by run landing-run"
    ):
        publish(paths, "run")
    land(paths, "f2", "next-run")
    change(
        paths,
        "insert into marts.reconciliation_files values ('pos', 'receipts', 'f2', 100000, 100000, 0, 0)",
    )
    with pytest.raises(NotPublishedError, match="11 of 1000"):
        publish(paths, "run")


def test_old_quarantine_is_no_news(tmp_path: Path) -> None:
    """Only files that no published version holds are judged."""
    paths = build(tmp_path, 1)
    publish(paths, "run")
    paths = build(tmp_path, 2)
    change(paths, "update marts.reconciliation_files set quarantined_records = 900")
    publish(paths, "run")
    land(paths, "f3")
    change(
        paths,
        "insert into marts.reconciliation_files values ('pos', 'receipts', 'f3', 50, 49, 1, 0)",
    )
    with pytest.raises(NotPublishedError, match="1 of 50"):
        publish(paths, "run")
