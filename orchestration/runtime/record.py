"""The record of the last build: what publishing needs to know before it trusts the warehouse."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.runtime.durable import replacing
from orchestration.runtime.paths import DataPaths


@dataclass(frozen=True)
class BuildRecord:
    """One build that has ended. `as_of` is an ISO day, `finished_at` an ISO moment in UTC."""

    run_id: str
    finished_at: str
    has_passed: bool
    is_complete: bool
    summary: str
    as_of: str | None = None
    failed: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    warehouse: list[int] = field(default_factory=list)

    def write(self, paths: DataPaths) -> None:
        with replacing(paths.build_record) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1, default=str), encoding="utf-8")

    @classmethod
    def read(cls, paths: DataPaths) -> BuildRecord | None:
        """The record, or None where no build has ended since the last one began."""
        if not paths.build_record.is_file():
            return None
        return cls(**json.loads(paths.build_record.read_text(encoding="utf-8")))


def fingerprint(paths: DataPaths) -> list[int]:
    """Size and time of the working database: another program's writing changes them."""
    stat = paths.warehouse.stat()
    return [stat.st_size, stat.st_mtime_ns]
