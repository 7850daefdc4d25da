"""One data root for all modules that build their own warehouse: the project is parsed once."""

from __future__ import annotations

from pathlib import Path

import pytest
from warehouse import Warehouse


@pytest.fixture(scope="session")
def identity_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("identity")


@pytest.fixture(scope="module")
def warehouse(identity_root: Path) -> Warehouse:
    """An empty warehouse, for one module; the next module's takes its place."""
    return Warehouse(identity_root)
