"""Commands of the checkout on a data root of their own, and what they left there.

A module of its own, since pytest knows several modules of the name conftest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb

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
        "DBT_LOG_LEVEL_FILE": "none",
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
    } | extra  # fmt: skip


def run(
    *command: str, data_root: Path, check: bool = True, **extra: str
) -> subprocess.CompletedProcess:
    """Run a command of the project's environment from the checkout; dbt as a run calls it, which takes less time."""
    is_dbt = command[0] == "dbt"
    program = (
        [sys.executable, "-m", "orchestration.runtime.dbt_child"] if is_dbt else [BIN / command[0]]
    )
    done = subprocess.run(
        [*program, *command[1:]],
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
