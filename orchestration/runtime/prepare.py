"""What is made once after installing, so that the first run starts at once: dbt's manifest and the
script that draws the report's charts."""

from __future__ import annotations

from orchestration.runtime.dbt import ensure_manifest
from orchestration.runtime.paths import DataPaths
from orchestration.serving.report import library


def main() -> None:
    """Make both where they are not there yet."""
    paths = DataPaths.from_environment()
    ensure_manifest(paths)
    library(paths.target)


if __name__ == "__main__":
    main()
