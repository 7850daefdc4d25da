"""Exports: what other tools read is the published file, value for value, and one version whole."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from postgres import PASSWORD, programs, server

from orchestration import cli
from orchestration.errors import UserError
from orchestration.runtime.lock import run_lock
from orchestration.runtime.paths import DataPaths
from orchestration.serving import export_postgres as sink
from orchestration.serving.export_parquet import export_parquet
from orchestration.serving.export_postgres import export_postgres
from orchestration.serving.exporting import NotExportedError
from orchestration.serving.versions import describe, make_live, roll_back

psycopg = pytest.importorskip("psycopg", reason="The extra postgres is not installed.")
ROWS = """
    (1, -0.5, 0.00000001, true, date '2024-02-29', timestamp '2024-02-29 10:00:00.000001', 'it''s "quoted", ; \\ \\N', 0.1),
    (2, -99999999999999.9999, -0.00000001, false, date '0044-03-15', timestamp '1969-12-31 23:59:59', '', 'nan'),
    (3, 0, 0, null, date '9999-12-31', timestamp '2026-06-30 00:00:00', '沉睡 客户 🙂 é', 1e-300),
    (null, null, null, null, null, null, null, null),
    (-9223372036854775808, 12.3400, 1, true, date '1970-01-01', timestamp '2000-01-01', E'two\\nlines\\r\\n\\ttab', '-inf'),
    (9223372036854775807, 99999999999999.9999, 9999999999.99999999, true, date '2000-01-01', null, E'\\\\.', 2.5)
"""


def publish(root: Path, number: int, rows: int = 200, more: str = "") -> DataPaths:
    """A live version made by hand, every row of which says which one it is of."""
    paths = DataPaths(root)
    paths.serving.mkdir(parents=True, exist_ok=True)
    fresh = paths.serving / ".marts-fresh.tmp"
    with duckdb.connect() as c:
        c.execute(f"attach '{fresh}' as fresh (storage_version 'v1.0.0'); use fresh")
        c.execute(
            f"""
            create table odd as select
                a::bigint as a, b::decimal(18,4) as b, c::decimal(18,8) as c, d::boolean as d, e::date as e,
                f::timestamp as f, g::varchar as g, h::double as "Odd ""name"", 名"
            from (values {ROWS}) as v(a, b, c, d, e, f, g, h);
            comment on table odd is 'It''s odd, 怪 \\ one';
            comment on column odd.b is 'Money; CNY''s';
            create table lonely as select * from (values (null), (''), ('x'), (null)) as v(word);
            create table nothing as select 1 as i where false;
            create table big as select i, {number} as build from range({rows}) as r(i);
            create table other as select i, {number} as build from range({rows}) as r(i);
            create view seen as select i, build from big where i < 3;
            comment on view seen is 'A view.';
            create table published_version as select
                'v{number}' as version_id, date '2026-06-30' as as_of, timestamp '2026-07-01 05:30:00' as published_at,
                'run-{number}' as run_id;
            {more}
            """
        )
        c.execute("checkpoint fresh; use memory; detach fresh")
    fresh.chmod(0o444)
    make_live(paths, fresh, describe(fresh))
    return paths


def quiet(_: str) -> None:
    """No progress."""


def rows_of(paths: DataPaths, table: str) -> list[tuple]:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{paths.published}' as published (read_only)")
        return connection.execute(f"from published.{table}").fetchall()


def same(found: list[tuple], expected: list[tuple]) -> bool:
    """Row for row in order, types and digits included; NaN is itself."""
    return [list(map(repr, row)) for row in found] == [list(map(repr, row)) for row in expected]


TABLES = ["big", "lonely", "nothing", "odd", "other", "published_version", "seen"]


# Parquet


def test_parquet_files_hold_what_is_published(tmp_path: Path) -> None:
    paths = publish(tmp_path, 1)
    told: list[str] = []
    exported = export_parquet(paths, told.append)
    assert (exported.version, exported.as_of, exported.tables, exported.is_new) == (
        "v1", "2026-06-30", 7, True,
    )  # fmt: skip
    assert exported.rows == 6 + 4 + 0 + 200 + 200 + 3 + 1
    assert told[0] == "big (1 of 7)"
    assert told[-1] == "seen (7 of 7)"
    current = paths.parquet / "current"
    assert current.is_symlink()
    assert str(current.readlink()) == "v1"
    assert sorted(file.name for file in current.iterdir()) == [f"{name}.parquet" for name in TABLES]
    for table in TABLES:
        with duckdb.connect() as connection:
            found = connection.execute(f"from '{current / table}.parquet'").fetchall()
        assert same(found, rows_of(paths, table)), table
    file = pyarrow.parquet.ParquetFile(current / "odd.parquet")
    assert file.schema_arrow.types == [
        pyarrow.int64(), pyarrow.decimal128(18, 4), pyarrow.decimal128(18, 8), pyarrow.bool_(), pyarrow.date32(),
        pyarrow.timestamp("us"), pyarrow.string(), pyarrow.float64(),
    ]  # fmt: skip
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_parquet_twice_then_four_versions_then_back(tmp_path: Path) -> None:
    paths = publish(tmp_path, 1)
    export_parquet(paths, quiet)
    before = {file: file.stat().st_mtime_ns for file in paths.parquet.rglob("*")}
    again = export_parquet(paths, quiet)
    assert (again.version, again.is_new) == ("v1", False)
    assert {file: file.stat().st_mtime_ns for file in paths.parquet.rglob("*")} == before
    for number in range(2, 5):
        export_parquet(publish(tmp_path, number), quiet)
    listed = sorted(entry.name for entry in paths.parquet.iterdir())
    assert listed == ["current", "v2", "v3", "v4"]
    roll_back(paths, "v2")
    assert export_parquet(paths, quiet).is_new is False
    assert str((paths.parquet / "current").readlink()) == "v2"
    assert sorted(entry.name for entry in paths.parquet.iterdir()) == listed


def test_parquet_that_fails_half_way_leaves_the_last_one(tmp_path: Path) -> None:
    export_parquet(publish(tmp_path, 1), quiet)
    paths = publish(tmp_path, 2)

    def give_up(text: str) -> None:
        if text.startswith("odd"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_parquet(paths, give_up)
    assert sorted(entry.name for entry in paths.parquet.iterdir()) == ["current", "v1"]
    # What a killed process leaves is swept up.
    (paths.parquet / ".v2.tmp").mkdir()
    (paths.parquet / ".v2.tmp" / "odd.parquet").touch()
    (paths.parquet / ".current.tmp").symlink_to("v9")
    export_parquet(paths, quiet)
    assert sorted(entry.name for entry in paths.parquet.iterdir()) == ["current", "v1", "v2"]


def test_parquet_where_nothing_can_be_written(tmp_path: Path) -> None:
    paths = publish(tmp_path, 1)
    paths.parquet.write_text("in the way")
    with pytest.raises(NotExportedError, match="cannot be written"):
        export_parquet(paths, quiet)


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path))
    for what in ("parquet", "postgres"):
        assert cli.main(["export", what]) == 2
        assert "run `perennial run` first" in capsys.readouterr().err
    paths = publish(tmp_path, 1)
    assert cli.main(["export", "parquet"]) == 0
    assert "version v1 as of 2026-06-30: 7 tables, 414 rows" in capsys.readouterr().out
    assert cli.main(["export", "parquet"]) == 0
    assert "7 tables, there before" in capsys.readouterr().out
    assert cli.main(["export", "parquet", "--schema", "x"]) == 2
    with run_lock(paths.export_lock, "somebody"):
        assert cli.main(["export", "parquet"]) == 1
    assert "Run somebody" in capsys.readouterr().err
    paths.published.unlink()
    paths.published.write_text("no database")
    assert cli.main(["export", "parquet"]) == 1
    assert "cannot be read" in capsys.readouterr().err


# PostgreSQL


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    if programs() is None:
        pytest.skip(
            "There is no PostgreSQL (initdb) on this machine: `apt-get install postgresql`."
        )
    with server() as folder:
        yield folder


@pytest.fixture
def base(socket: Path, request: pytest.FixtureRequest) -> Iterator[dict]:
    """How to connect to an empty database of the test's own."""
    database = f"db_{abs(hash(request.node.name))}"
    asked = {"host": str(socket), "user": "tester", "password": PASSWORD}
    with psycopg.connect(**asked, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"create database {database}")
    yield {**asked, "dbname": database}
    with psycopg.connect(**asked, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)")


@pytest.fixture
def dsn(base: dict) -> str:
    return psycopg.conninfo.make_conninfo(**base)


def ask(base: dict, sql: str) -> list[tuple]:
    with psycopg.connect(**base) as connection:
        return connection.execute(sql).fetchall()


def version_of(base: dict, schema: str = "perennial") -> str:
    return ask(base, f"select version_id from {schema}.published_version")[0][0]


def schemas(base: dict) -> list[str]:
    found = ask(
        base, "select nspname from pg_namespace where nspname !~ '^pg_|^information' order by 1"
    )
    return [name for (name,) in found]


def test_postgres_tables_hold_what_is_published(tmp_path: Path, base: dict, dsn: str) -> None:
    paths = publish(tmp_path, 1)
    told: list[str] = []
    exported = export_postgres(paths, dsn, told.append)
    assert (exported.version, exported.tables, exported.rows) == ("v1", 7, 414)
    assert told[0] == "big (1 of 7)"
    for table in TABLES:
        assert same(ask(base, f"select * from perennial.{table}"), rows_of(paths, table)), table
    odd = ask(base, "select * from perennial.odd")
    assert odd[0][:6] == (
        1, Decimal("-0.5000"), Decimal("0.00000001"), True, date(2024, 2, 29), datetime(2024, 2, 29, 10, 0, 0, 1),
    )  # fmt: skip
    types = ask(
        base,
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'perennial.odd'::regclass "
        "and attnum > 0 order by attnum",
    )
    assert [kind for (kind,) in types] == [
        "bigint", "numeric(18,4)", "numeric(18,8)", "boolean", "date", "timestamp without time zone", "text",
        "double precision",
    ]  # fmt: skip
    assert ask(
        base,
        "select obj_description('perennial.odd'::regclass), col_description('perennial.odd'::regclass, 2), "
        "obj_description('perennial.seen'::regclass), obj_description('perennial'::regnamespace)",
    ) == [
        (
            "It's odd, 怪 \\ one",
            "Money; CNY's",
            "A view.",
            "Published by perennial: version v1 as of 2026-06-30",
        )
    ]
    export_postgres(publish(tmp_path, 2), dsn, quiet)
    assert version_of(base) == "v2"
    assert schemas(base) == ["perennial", "public"]
    roll_back(paths)
    export_postgres(paths, dsn, quiet, "marts")
    assert (version_of(base), version_of(base, "marts")) == ("v2", "v1")


def test_readers_see_whole_versions_while_three_are_swapped_in(
    tmp_path: Path, base: dict, dsn: str
) -> None:
    """One reader asks two tables in one statement, the other in two statements of a transaction."""
    export_postgres(publish(tmp_path, 1, rows=1001), dsn, quiet)
    stop = threading.Event()
    seen: dict[str, set] = {"read committed": set(), "repeatable read": set()}
    reads = {"read committed": 0, "repeatable read": 0}
    wrong: list[object] = []
    of = "select min(build), max(build), count(*) from perennial."

    def poll(isolation: str) -> None:
        try:
            with psycopg.connect(**base, autocommit=True) as connection:
                while not stop.is_set():
                    with connection.transaction():
                        connection.execute(f"set transaction isolation level {isolation}")
                        joined = connection.execute(
                            "select version_id, o.build, count(*) from perennial.published_version, "
                            "perennial.other as o join perennial.big as b using (i, build) group by 1, 2"
                        ).fetchall()
                        big = connection.execute(of + "big").fetchone()
                        other = connection.execute(of + "other").fetchone()
                    ((version, number, count),) = joined
                    if not (
                        version == f"v{number}"
                        and big == other == (number, number, count)
                        and count == 1000 + number
                    ):
                        wrong.append((isolation, joined, big, other))
                    seen[isolation].add(version)
                    reads[isolation] += 1
                    time.sleep(0.002)
        except Exception as error:
            wrong.append(repr(error))

    readers = [threading.Thread(target=poll, args=[isolation]) for isolation in seen]
    for reader in readers:
        reader.start()
    for number in (2, 3, 4):
        export_postgres(publish(tmp_path, number, rows=1000 + number), dsn, quiet)
        time.sleep(0.05)
    stop.set()
    for reader in readers:
        reader.join(30)
    assert wrong == []
    assert min(reads.values()) > 20
    assert seen["read committed"] | seen["repeatable read"] == {"v1", "v2", "v3", "v4"}


def test_a_transaction_of_a_reader_keeps_its_version(tmp_path: Path, base: dict, dsn: str) -> None:
    export_postgres(publish(tmp_path, 1), dsn, quiet)
    paths = publish(tmp_path, 2)
    with psycopg.connect(**base) as reader:
        assert reader.execute("select max(build) from perennial.big").fetchone() == (1,)
        told: list[str] = []
        with pytest.raises(
            NotExportedError, match="readers kept tables of the schema perennial busy"
        ):
            export_postgres(paths, dsn, told.append, patience=0.1)
        assert told[-1] == "waiting for readers of the schema perennial"
        assert reader.execute("select max(build) from perennial.other").fetchone() == (1,)
    assert schemas(base) == ["perennial", "public"]
    export_postgres(paths, dsn, quiet)
    assert version_of(base) == "v2"


def test_a_failing_export_leaves_the_old_schema(
    tmp_path: Path, base: dict, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_postgres(publish(tmp_path, 1), dsn, quiet)

    def cancelled(batch: pyarrow.RecordBatch, *rest: object) -> None:
        write_csv(batch, *rest)
        ask(
            base,
            "select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'perennial'",
        )

    def end(text: str) -> None:
        if text.startswith("odd"):
            ask(
                base,
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'perennial'",
            )

    def interrupt(text: str) -> None:
        if text.startswith("odd"):
            raise KeyboardInterrupt

    with pytest.raises(NotExportedError, match="ended the work at the table odd"):
        export_postgres(publish(tmp_path, 2), dsn, end)
    write_csv = sink.csv.write_csv
    with (
        monkeypatch.context() as patched,
        pytest.raises(NotExportedError, match=r"the table big \(QueryCanceled, code 57014"),
    ):
        patched.setattr(sink, "ROWS_AT_ONCE", 50)
        patched.setattr(sink.csv, "write_csv", cancelled)
        export_postgres(DataPaths(tmp_path), dsn, quiet)
    with pytest.raises(KeyboardInterrupt):
        export_postgres(publish(tmp_path, 3), dsn, interrupt)
    nul = "create table z_nul as select 'secret' || chr(0) as word;"
    with pytest.raises(
        NotExportedError, match="did not take what it was given at the table z_nul"
    ) as failure:
        export_postgres(publish(tmp_path, 4, more=nul), dsn, quiet)
    assert "secret" not in str(failure.value)
    listed = "create table z_list as select [1] as numbers;"
    with pytest.raises(UserError, match=r"z_list\.numbers is of type INTEGER\[\]"):
        export_postgres(publish(tmp_path, 5, more=listed), dsn, quiet)
    long = "名" * 22
    for more in (
        f"create table {long} as select 1 as i;",
        f"create table z as select 1 as {long};",
    ):
        with pytest.raises(UserError, match=f"{long} is longer than the 63 bytes"):
            export_postgres(publish(tmp_path, 6, more=more), dsn, quiet)
    with pytest.raises(UserError, match="longer than the 63 bytes"):
        export_postgres(publish(tmp_path, 7), dsn, quiet, "s" * 59)
    assert version_of(base) == "v1"
    assert schemas(base) == ["perennial", "public"]


KILLED = """
import sys
from pathlib import Path
from orchestration.runtime.paths import DataPaths
from orchestration.serving.export_postgres import export_postgres
def tick(text):
    if text.startswith("odd"):
        print("go", flush=True)
        sys.stdin.read()
export_postgres(DataPaths(Path(sys.argv[1])), sys.argv[2], tick)
"""


def test_a_killed_export_leaves_the_old_schema_and_nobody_waits(
    tmp_path: Path, base: dict, dsn: str
) -> None:
    export_postgres(publish(tmp_path, 1), dsn, quiet)
    paths = publish(tmp_path, 2)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline()
    with pytest.raises(NotExportedError, match="Another export into the schema perennial"):
        export_postgres(paths, dsn, quiet)
    process.kill()
    process.communicate()
    assert version_of(base) == "v1"
    while ask(base, "select from pg_stat_activity where application_name = 'perennial'"):
        time.sleep(0.01)
    export_postgres(paths, dsn, quiet)
    assert version_of(base) == "v2"


def test_what_belongs_to_others_stays(tmp_path: Path, base: dict, dsn: str) -> None:
    paths = publish(tmp_path, 1)
    with pytest.raises(UserError, match="the schema public of this database was not made by"):
        export_postgres(paths, dsn, quiet, "public")
    export_postgres(paths, dsn, quiet)
    with psycopg.connect(**base) as connection:
        connection.execute("create view public.mine as select * from perennial.odd")
    with pytest.raises(NotExportedError, match="depends on its tables"):
        export_postgres(publish(tmp_path, 2), dsn, quiet)
    assert version_of(base) == "v1"
    with psycopg.connect(**base) as connection:
        connection.execute("drop view public.mine; create view perennial.mine as select 1 as one")
    with pytest.raises(NotExportedError, match="is not of this command"):
        export_postgres(paths, dsn, quiet)
    assert ask(base, "select one from perennial.mine") == [(1,)]
    assert schemas(base) == ["perennial", "public"]
    with psycopg.connect(**base) as connection:
        connection.execute("drop view perennial.mine; create schema perennial__new")
    with pytest.raises(UserError, match="the schema perennial__new of this database was not made"):
        export_postgres(paths, dsn, quiet)
    # As an export leaves it that was killed before the swap.
    with psycopg.connect(**base) as connection:
        connection.execute(
            "comment on schema perennial__new is 'Published by perennial: version v0'"
        )
        connection.execute("create table perennial__new.big as select 1 as i")
    export_postgres(paths, dsn, quiet)
    assert version_of(base) == "v2"
    assert schemas(base) == ["perennial", "public"]


def test_who_may_read_the_old_tables_may_read_the_new_ones(
    tmp_path: Path, base: dict, dsn: str
) -> None:
    export_postgres(publish(tmp_path, 1), dsn, quiet)
    with psycopg.connect(**base) as connection:
        connection.execute(f"create role \"Bi 'tool'\" login password '{PASSWORD}'")
        connection.execute("grant usage on schema perennial to \"Bi 'tool'\"")
        connection.execute(
            "grant select on perennial.big, perennial.published_version to \"Bi 'tool'\""
        )
        connection.execute("grant select on perennial.seen to public")
    export_postgres(publish(tmp_path, 2), dsn, quiet)
    reader = {**base, "user": "Bi 'tool'"}
    assert version_of(reader) == "v2"
    assert ask(reader, "select count(*) from perennial.seen") == [(3,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(reader, "select * from perennial.odd")
    # What the README tells about tables that are new.
    with psycopg.connect(**base) as connection:
        connection.execute(
            "alter default privileges for role tester grant select on tables to \"Bi 'tool'\""
        )
    export_postgres(publish(tmp_path, 2, more="create table fresh as select 7 as i;"), dsn, quiet)
    assert ask(reader, "select i from perennial.fresh") == [(7,)]
    poor = psycopg.conninfo.make_conninfo(**reader)
    with pytest.raises(NotExportedError, match="grant it CREATE on the database"):
        export_postgres(publish(tmp_path, 3), poor, quiet, "elsewhere")
    with psycopg.connect(**base, autocommit=True) as connection:
        connection.execute(f"grant create on database {base['dbname']} to \"Bi 'tool'\"")
        with pytest.raises(NotExportedError, match="let it own that schema"):
            export_postgres(DataPaths(tmp_path), poor, quiet)
        assert version_of(base) == "v2"
        connection.execute("drop owned by \"Bi 'tool'\"; drop role \"Bi 'tool'\"")


def test_a_password_is_never_shown(
    tmp_path: Path, socket: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    publish(tmp_path, 1)
    for variable in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path))
    wrong = "Wr0ng@host/word"
    quoted = "Wr0ng%40host%2Fword"
    local = f"host={socket} user=tester dbname=postgres"
    for dsn, said in (
        (f"{local} password={wrong}", "does not let this user in"),
        (f"{local} password='{PASSWORD}' dbname=nowhere", "no such database or user"),
        (f"host={tmp_path} user=tester password={wrong}", "no PostgreSQL server can be reached"),
        (f"postgresql://tester:{wrong}@localhost:1/x", "no PostgreSQL server can be reached"),
        (f"postgresql://tester:{quoted}@127.0.0.1:1/x", "no PostgreSQL server can be reached"),
        (f"postgres//tester:{wrong}@localhost/x", "is no connection string"),
        (f"postgresql://tester:{wrong}@[localhost/x", "no PostgreSQL server can be reached"),
        (f"postgresql://tester:{quoted}@[localhost/x", "is no connection string"),
        (f"{local} password {wrong}", "is no connection string"),
        (f"{local} port={wrong}", "no PostgreSQL server can be reached"),
        (f"{local} connect_timeout={wrong}", "no PostgreSQL server can be reached"),
        (local, "does not let this user in"),
    ):
        monkeypatch.setenv("PERENNIAL_POSTGRES", dsn)
        code = cli.main(["export", "postgres"])
        out, err = capsys.readouterr()
        assert said in err, (dsn, err)
        assert code == (2 if "connection string" in said else 1)
        for part in ("Wr0ng", "host/word", PASSWORD):
            assert part not in out + err
    assert not DataPaths(tmp_path).run_log.exists()
    monkeypatch.delenv("PERENNIAL_POSTGRES")
    for variable, value in (
        ("HOST", str(socket)),
        ("USER", "tester"),
        ("PASSWORD", PASSWORD),
        ("DATABASE", "postgres"),
    ):
        monkeypatch.setenv(f"PG{variable}", value)
    assert cli.main(["export", "postgres", "--schema", "By variables"]) == 0
    assert "7 tables, 414 rows: schema By variables" in capsys.readouterr().out


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"needs the extra `postgres` .* pip install"):
        sink.export_postgres(publish(tmp_path, 1), "", quiet)
