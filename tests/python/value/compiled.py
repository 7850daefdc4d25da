"""Runs the compiled RFM models on core tables that a test makes up, without landing anything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import yaml
from checkout import BIN, PROJECT, environment

MODELS = [
    "int_calendar__stored_days",
    "int_rfm__customer_values",
    "int_rfm__quantile_cuts",
    "rfm_cutpoint",
    "customer_rfm",
    "rfm_class_sizes",
    "rfm_movement_monthly",
]
SEEDS = {
    "rfm_config": "config_name varchar, dimension varchar, cut_number int, cut_value decimal(20,6)",
    "rfm_grid": "r_score int, fm_score int, western_class varchar",
    "rfm_class": "class_scheme varchar, class_code varchar, display_order int, r_level varchar, "
    "f_level varchar, m_level varchar, label_en varchar, label_zh varchar, alias_zh varchar",
}
CORE = {
    "int_core__as_of": "as_of date, is_given boolean",
    "dim_date": "date_on date, is_month_end boolean",
    "dim_customer": "customer_id varchar, is_unknown boolean, is_anonymous boolean",
    "fct_order": "order_key varchar, customer_id varchar, ordered_on date, valid_from_on date, "
    "valid_to_on date, paid_amount decimal(18,4)",
    "fct_refund": "order_key varchar, refunded_on date, refund_amount decimal(18,4), "
    "is_completed boolean",
}


@dataclass(frozen=True)
class CompiledModels:
    """SQL of the models under one set of settings, in the order in which they build."""

    sql: dict[str, str]

    def build(
        self, core: Mapping[str, pd.DataFrame], threads: int = 2
    ) -> duckdb.DuckDBPyConnection:
        """Build the models on core tables given as frames; ask the result for `marts.<model>`."""
        connection = duckdb.connect()
        connection.execute(
            f"set threads = {threads}; attach ':memory:' as warehouse; use warehouse"
        )
        for schema in ("core", "seeds", "marts"):
            connection.execute(f"create schema {schema}")
        for name, columns in SEEDS.items():
            path = PROJECT / "seeds" / f"{name}.csv"
            connection.execute(f"create table seeds.{name} ({columns})")
            connection.execute(
                f"insert into seeds.{name} from read_csv('{path}', all_varchar = true)"
            )
        for name, columns in CORE.items():
            frame = core[name]
            connection.execute(f"create table core.{name} ({columns})")
            connection.execute(f"insert into core.{name} by name select * from frame")
            del frame
        for name, sql in self.sql.items():
            connection.execute(f"create table marts.{name} as {sql}")
        return connection


def compile_models(folder: Path, settings: Mapping[str, object]) -> CompiledModels:
    """Let dbt compile the models with `settings`, in a project of these models alone.

    The whole project would give the same SQL and take several times as long to parse.
    """
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    small = {key: project[key] for key in ("name", "version", "profile", "flags")}
    small |= {"vars": project["vars"] | settings, "macro-paths": [str(PROJECT / "macros")]}
    small |= {"models": {"perennial": {"+schema": "marts", "core": {"+schema": "core"}}}}
    small |= {"seeds": {"perennial": {"+schema": "seeds"}}}
    (folder / "models" / "core").mkdir(parents=True)
    (folder / "seeds").mkdir()
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(small))
    shutil.copy(PROJECT / "profiles.yml", folder)
    for name in MODELS:
        shutil.copy(next((PROJECT / "models" / "marts").rglob(f"{name}.sql")), folder / "models")
    for name in CORE:
        (folder / "models" / "core" / f"{name}.sql").write_text("select 1 as one")
    for name in SEEDS:
        shutil.copy(PROJECT / "seeds" / f"{name}.csv", folder / "seeds")
    done = subprocess.run(
        [str(BIN / "dbt"), "compile", "--select", *MODELS],
        cwd=folder, env=environment(folder), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    compiled = folder / "target" / "compiled" / "perennial" / "models"
    return CompiledModels({name: (compiled / f"{name}.sql").read_text() for name in MODELS})
