"""One demo warehouse, built once with every dbt unit test and data test, for all tests that look at results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def environment(data_root: Path, **extra: str) -> dict[str, str]:
    """Environment of a command on its own data root, with the artefacts of dbt beside it."""
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("PERENNIAL_", "DBT_", "DAGSTER_"))
    }
    return env | {
        "PERENNIAL_DATA": str(data_root),
        "DBT_TARGET_PATH": str(data_root / "target"),
        "DBT_LOG_PATH": str(data_root / "logs"),
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
    } | extra  # fmt: skip


def run(
    *command: str, data_root: Path, check: bool = True, **extra: str
) -> subprocess.CompletedProcess:
    """Run a command of the project's environment from the checkout."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=PROJECT, env=environment(data_root, **extra), capture_output=True, text=True,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
    return done


def table_hashes(database: Path, schemas: tuple[str, ...] = ("core", "marts")) -> dict[str, str]:
    """Hash of each table's rows, whatever their order: md5 over the sorted rows as text."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema in {schemas} order by all"
        ).fetchall()
        return {
            f"{schema}.{table}": connection.execute(
                f"select md5(string_agg(r, chr(10) order by r)) from (select cast(t as varchar) as r from {schema}.{table} as t)"
            ).fetchone()[0]
            for schema, table in tables
        }


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data root with 1,000 demo customers, landed and built by a bare `dbt build` with all of its tests."""
    root = tmp_path_factory.mktemp("demo")
    run("perennial", "demo", "--customers", "1000", data_root=root)
    run("perennial", "land", data_root=root)
    run("dbt", "build", data_root=root)
    return root


@pytest.fixture(scope="session")
def manifest(demo_root: Path) -> dict:
    return json.loads((demo_root / "target" / "manifest.json").read_text())


@pytest.fixture(scope="session")
def compiled_models(demo_root: Path, manifest: dict) -> dict[str, str]:
    return {
        node["name"]: (
            demo_root / "target" / "compiled" / "perennial" / node["original_file_path"]
        ).read_text()
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


@pytest.fixture
def warehouse_rows(demo_root: Path) -> Iterator[Callable[[str], tuple[list[str], list[tuple]]]]:
    """Ask the demo warehouse: `warehouse_rows("select ...")` gives the column names and the rows."""
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:

        def ask(sql: str) -> tuple[list[str], list[tuple]]:
            answer = connection.execute(sql)
            return [column[0] for column in answer.description], answer.fetchall()

        yield ask


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("PERENNIAL_REAL_DATA")
    if not folder:
        pytest.skip(
            "PERENNIAL_REAL_DATA is not set: it names the folder with the real data sets that this test reads."
        )
    return Path(folder)
