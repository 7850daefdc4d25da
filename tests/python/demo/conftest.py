"""Demo data at two sizes, made once a session."""

from __future__ import annotations

import pytest
from demo_reader import Demo, make


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """1,000 customers, seed 7."""
    return make(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """5,000 customers, the default seed."""
    return make(tmp_path_factory.mktemp("usual"), customers=5000, seed=42)


@pytest.fixture(scope="session", params=["small", "usual"])
def demo(request: pytest.FixtureRequest) -> Demo:
    """Each of the two sizes."""
    return request.getfixturevalue(request.param)
