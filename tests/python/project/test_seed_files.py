"""Rules are checked in the seeds' files before dbt loads them: both must say the same."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import duckdb
from checkout import PROJECT
from rendered import macros


def _number(text: str | None) -> object:
    """A number for what is written like one, since a typed column writes 1 as 1.0000."""
    is_number = text is not None and re.fullmatch(r"-?[0-9]+([.][0-9]+)?", text)
    return Decimal(text) if is_number else text


def test_a_seeds_file_reads_as_dbt_loads_it(demo_root: Path) -> None:
    relation = macros(("dispatch/seeds.sql",), {})["duckdb__seed_file"]
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as built:
        names = [
            name
            for (name,) in built.execute(
                "select table_name from information_schema.tables where table_schema = 'seeds'"
            ).fetchall()
        ]
        assert "lifecycle_rule" in names
        for name in names:
            loaded = built.execute(f"select columns(*)::varchar from seeds.{name}")
            columns = [column[0] for column in loaded.description]
            rows = [tuple(map(_number, row)) for row in loaded.fetchall()]
            file = relation(str(PROJECT / "seeds" / f"{name}.csv"))
            read = built.execute(f"select {', '.join(columns)} from {file}").fetchall()
            assert [tuple(map(_number, row)) for row in read] == rows, name
