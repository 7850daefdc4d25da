"""The same files give the same rows: run twice, on any number of threads, delivered in any order."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
from checkout import run, table_hashes

# What a delivery is called and when it was landed is no property of its content; nor is how many runs it took.
OF_THE_DELIVERY = {
    "marts.reconciliation_files",
    "marts.data_quality_tables",
    "marts.identity_quality_run",
}


def test_a_second_run_gives_the_same_rows_on_any_number_of_threads(
    demo_root: Path, tmp_path: Path
) -> None:
    before = table_hashes(demo_root / "warehouse.duckdb")
    assert len(before) > 20
    copy = tmp_path / "copy"
    shutil.copytree(demo_root, copy, ignore=shutil.ignore_patterns("landing", "truth", "logs"))
    for threads in ("1", "4"):
        run("dbt", "run", data_root=copy, PERENNIAL_THREADS=threads)
        assert table_hashes(copy / "warehouse.duckdb") == before


def test_any_order_of_delivery_gives_the_same_rows(demo_root: Path, tmp_path: Path) -> None:
    """Files arrive in reverse order, in two deliveries, the second after a build of the first.

    Customer ids remember the first build, and the id history explains the difference; with it
    forgotten there is none.
    """
    other = tmp_path / "other"
    (other / "vault").mkdir(parents=True, mode=0o700)
    shutil.copy2(demo_root / "vault" / "demo.key", other / "vault" / "demo.key")
    files = sorted(p for p in (demo_root / "landing").rglob("*") if p.is_file())
    for half in (files[1::2], files[0::2]):
        for number, path in enumerate(reversed(half)):
            place = other / path.parent.relative_to(demo_root)
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place / f"{number:03d}-{path.name}")
        run("perennial", "land", data_root=other)
        _forget_ids(other)
        run("dbt", "build", "--exclude-resource-type", "unit_test", "test", data_root=other)
    expected = table_hashes(demo_root / "warehouse.duckdb")
    found = table_hashes(other / "warehouse.duckdb")
    assert {t: h for t, h in found.items() if t not in OF_THE_DELIVERY} == {
        t: h for t, h in expected.items() if t not in OF_THE_DELIVERY
    }


def _forget_ids(root: Path) -> None:
    if (root / "warehouse.duckdb").exists():
        with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
            for table in ("identity_id_history", "int_identity__members"):
                connection.execute(f"drop table identity.{table}")


def test_marts_name_no_person(demo_root: Path) -> None:
    """A raw identifier of the planted population occurs in no table of the warehouse."""
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        raw = [
            row[0]
            for row in connection.execute(
                f"select distinct raw_value from read_parquet('{demo_root}/vault/tokens/*/*/*.parquet') "
                "where id_type in ('phone', 'email') and length(raw_value) > 8 order by 1 limit 400"
            ).fetchall()
        ]
        assert len(raw) == 400
        tables = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns where data_type = 'VARCHAR' "
            "and table_schema not in ('seeds', 'staging')"
        ).fetchall()
        connection.execute("create temp table raw_values as select unnest(?) as raw_value", [raw])
        for schema, table, column in tables:
            hits = connection.execute(
                f"select count(*) from {schema}.{table} where {column} in (select raw_value from raw_values)"
            ).fetchone()[0]
            assert hits == 0, f"{schema}.{table}.{column}"
