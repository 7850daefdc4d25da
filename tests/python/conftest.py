"""One demo warehouse, built once with every dbt unit test and data test, for all tests that look at results."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from checkout import run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order in which two processes wait least for each other.

    The first file makes one process build the demo; the other one meanwhile, and both as long as there are any, run files
    that do without it.
    """
    with_demo = {item.path for item in items if "demo_root" in item.fixturenames}
    first = next((item.path for item in items if item.path in with_demo), None)
    items.sort(key=lambda item: (item.path != first, item.path in with_demo))


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data root with 1,000 demo customers, landed and built by a bare `dbt build` with all of its tests.

    Nobody writes into it: the processes of a test run share it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    root, done = shared / "demo", shared / "demo.built"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            # A build that failed in the other process fails again here, with its words.
            shutil.rmtree(root, ignore_errors=True)
            run("perennial", "demo", "--customers", "1000", data_root=root)
            run("perennial", "land", data_root=root)
            run("dbt", "build", data_root=root)
            done.touch()
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
