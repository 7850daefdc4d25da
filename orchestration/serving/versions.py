"""Published versions: the live one, the last few that are kept beside it, and the way back to one.

Each is a file and its manifest under versions/. Which one is live is decided by a rename, so that
readers see either the one or the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from orchestration.errors import UserError
from orchestration.runtime.durable import replacing, sync
from orchestration.runtime.paths import DataPaths
from orchestration.serving.reading import name, open_published

KEPT_VERSIONS = 3
READ_ONLY = 0o444


@dataclass(frozen=True)
class Manifest:
    """What is said about a published file: `row_counts` has every table, `sha256` is of the
    file."""

    version: str
    as_of: str | None
    published_at: str
    run_id: str
    sha256: str
    row_counts: dict[str, int]

    def write(self, file: Path) -> None:
        """Put the manifest in its place, whole."""
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def describe(database: Path) -> Manifest:
    """The manifest of a published file, from the file itself: nothing else has to be trusted.

    Raises UserError when the file cannot be read.
    """
    try:
        with open_published(database) as connection:
            version, as_of, moment, run_id = connection.execute(
                "select version_id, as_of, published_at, run_id from published_version"
            ).fetchone()
            tables = connection.execute(
                "select table_name from information_schema.tables "
                "where table_name <> 'published_version' order by table_name"
            ).fetchall()
            counts = {
                table: connection.execute(f"select count(*) from {name(table)}").fetchone()[0]
                for (table,) in tables
            }
    except duckdb.Error as error:
        raise UserError(
            f"{database} is no published version or is damaged ({type(error).__name__}); choose "
            "another one, `perennial rollback --list` shows them."
        ) from error
    published_at = f"{moment.isoformat(timespec='milliseconds')}Z"
    return Manifest(
        version, as_of and as_of.isoformat(), published_at, run_id, sha256_of(database), counts
    )


def sha256_of(file: Path) -> str:
    """Hex digest of a file's bytes."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def make_live(paths: DataPaths, fresh: Path, manifest: Manifest) -> None:
    """Let this file, which is moved, take the place of the live one, which is kept."""
    _keep_live(paths)
    fresh.replace(paths.published)
    sync(paths.serving)
    _keep_live(paths)
    manifest.write(paths.versions / f"{manifest.version}.json")
    manifest.write(paths.manifest)
    for old in _files(paths)[:-KEPT_VERSIONS]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)


def kept(paths: DataPaths) -> list[str]:
    """Names of the versions that are kept, in the order in which they were live last."""
    return [file.stem for file in _files(paths)]


def live(paths: DataPaths) -> str | None:
    """Name of the version that readers see."""
    if not paths.published.is_file():
        return None
    with open_published(paths.published) as connection:
        return connection.execute("select version_id from published_version").fetchone()[0]


def roll_back(paths: DataPaths, wanted: str | None = None) -> Manifest:
    """Make a kept version live again: of those older than the live one the one that readers saw
    last, or the one whose name begins with `wanted`.

    Raises UserError (one sentence) when there is none, or when its file is damaged; readers keep
    what they have then.
    """
    names, current = kept(paths), live(paths)
    if wanted is None:
        found = [version for version in names if current is None or version < current][-1:]
    else:
        found = [version for version in names if version.startswith(wanted)]
    if len(found) != 1 or found[0] == current:
        if found == [current]:
            why = f"version {current} is live already"
        elif found:
            why = f"{wanted} is the beginning of {len(found)} versions"
        elif wanted is None:
            why = "no version before the live one is kept"
        else:
            why = f"no kept version is called {wanted}"
        raise UserError(f"Nothing was rolled back: {why}; kept are {', '.join(names) or 'none'}.")
    file = paths.versions / f"{found[0]}.duckdb"
    manifest = describe(file)
    if not _is_as_published(file, manifest):
        raise UserError(
            f"{file} is not what was published under this name; readers keep the live version."
        )
    fresh = paths.serving / f".marts-{manifest.version}.tmp"
    fresh.unlink(missing_ok=True)
    _link(file, fresh)
    make_live(paths, fresh, manifest)
    return manifest


def _is_as_published(file: Path, found: Manifest) -> bool:
    said = file.with_suffix(".json")
    sha256 = json.loads(said.read_text(encoding="utf-8"))["sha256"] if said.is_file() else None
    return found.version == file.stem and sha256 in (None, found.sha256)


def _files(paths: DataPaths) -> list[Path]:
    return sorted(paths.versions.glob("*.duckdb"), key=_live_last)


def _live_last(file: Path) -> tuple[float, str]:
    """The manifest is written anew whenever its version goes live."""
    said = file.with_suffix(".json")
    return (said if said.is_file() else file).stat().st_mtime, file.stem


def _keep_live(paths: DataPaths) -> None:
    """Give the live file a second name under versions/, where it outlives its replacement."""
    version = live(paths)
    if version is None or (file := paths.versions / f"{version}.duckdb").exists():
        return
    paths.versions.mkdir(exist_ok=True)
    _link(paths.published, file)


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:
        # Not every file system knows hard links.
        with replacing(target) as temporary:
            shutil.copyfile(file, temporary)
        target.chmod(READ_ONLY)
