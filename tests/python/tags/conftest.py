"""The compiled tag models of the demo warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from .models import TagModels


@pytest.fixture(scope="module")
def tag_models(demo_root: Path) -> TagModels:
    return TagModels(demo_root)


@pytest.fixture(scope="module")
def built(demo_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield connection
