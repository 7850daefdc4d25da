"""Where everything lies: the checkout and the data root."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class DataPaths:
    """The places under one data root; `root` is absolute."""

    root: Path

    @classmethod
    def from_environment(cls) -> DataPaths:
        """The data root named by PERENNIAL_DATA, or `data/` in the checkout."""
        given = os.environ.get("PERENNIAL_DATA")
        return cls((Path(given) if given else PROJECT_DIR / "data").absolute())

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger" / "files.parquet"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    @property
    def clv(self) -> Path:
        """Runs of the value models, a folder each."""
        return self.root / "clv"

    @property
    def target(self) -> Path:
        """dbt's artefacts of the last build on this data root."""
        return self.root / "target"

    @property
    def build_record(self) -> Path:
        """What the last build was and whether it passed; there is none while a build runs."""
        return self.root / "build.json"

    @property
    def serving(self) -> Path:
        return self.root / "serving"

    @property
    def published(self) -> Path:
        return self.serving / "marts.duckdb"

    @property
    def manifest(self) -> Path:
        return self.serving / "manifest.json"

    @property
    def versions(self) -> Path:
        return self.serving / "versions"

    @property
    def parquet(self) -> Path:
        """Exported versions, a folder of Parquet files each, and the link `current`."""
        return self.serving / "parquet"

    @property
    def report(self) -> Path:
        return self.serving / "report.html"

    @property
    def lock(self) -> Path:
        return self.root / "run.lock"

    @property
    def export_lock(self) -> Path:
        """Held by whoever copies the published file elsewhere: no run waits for that."""
        return self.root / "export.lock"

    @property
    def run_log(self) -> Path:
        """Everything that the last command-line run would have printed without a progress line for
        each step."""
        return self.root / "logs" / "perennial.log"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"
