"""The live version as Parquet files, for tools that read those and not DuckDB.

A version's folder appears by one rename, whole, and the link `current` by another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestration.runtime.durable import sync
from orchestration.runtime.paths import DataPaths
from orchestration.serving.exporting import Exported, Live, NotExportedError, live_version
from orchestration.serving.reading import literal, name
from orchestration.serving.versions import KEPT_VERSIONS, READ_ONLY

CURRENT = "current"


def export_parquet(paths: DataPaths, tick: Callable[[str], None]) -> Exported:
    """Write serving/parquet/<version>/<table>.parquet for the live version, unless it is there,
    and let `current` point to it. The caller holds the export lock.

    Raises UserError where nothing has been published, NotExportedError where nothing can be
    written; `current` stays then.
    """
    try:
        with live_version(paths) as live:
            paths.parquet.mkdir(exist_ok=True)
            for leftover in paths.parquet.glob(".*.tmp"):
                _remove(leftover)
            folder = paths.parquet / live.version
            is_new = not folder.exists()
            rows = _write(live, folder, tick) if is_new else 0
            _point_to(folder)
            exported = Exported(live.version, live.as_of, len(live.tables), rows, is_new)
        for old in _others(paths, folder)[: -(KEPT_VERSIONS - 1)]:
            _remove(old)
    except OSError as error:
        raise NotExportedError(
            f"Nothing was exported: {paths.parquet} cannot be written ({error.strerror}); make "
            "room or mend the rights there, and try again."
        ) from None
    return exported


def _write(live: Live, folder: Path, tick: Callable[[str], None]) -> int:
    """Every table into a folder that gets its name when all is on the disk; returns the rows."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    temporary.mkdir()
    rows = 0
    try:
        for number, table in enumerate(live.tables, 1):
            tick(f"{table.name} ({number} of {len(live.tables)})")
            file = temporary / f"{table.name}.parquet"
            (count,) = live.connection.execute(
                f"copy (from {name(table.name)}) to {literal(file)} "
                "(format parquet, compression zstd)"
            ).fetchone()
            rows += count
            file.chmod(READ_ONLY)
            sync(file)
        sync(temporary)
        temporary.rename(folder)
    finally:
        _remove(temporary)
    sync(folder.parent)
    return rows


def _point_to(folder: Path) -> None:
    link = folder.with_name(CURRENT)
    if link.is_symlink() and str(link.readlink()) == folder.name:
        return
    temporary = folder.with_name(f".{CURRENT}.tmp")
    # Relative, so that the folder can be mounted or copied elsewhere.
    temporary.symlink_to(folder.name)
    temporary.replace(link)
    sync(folder.parent)


def _others(paths: DataPaths, current: Path) -> list[Path]:
    """The other exported versions, the oldest first."""
    return sorted(
        folder
        for folder in paths.parquet.iterdir()
        if folder.is_dir() and not folder.is_symlink() and folder != current
    )


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
