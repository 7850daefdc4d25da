"""What lies under landing/: files to take, entries to refuse, names to leave alone."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from orchestration.landing.contract import Table
from orchestration.landing.refusal import Refused, RefusedFile

FORMATS = {
    ".csv": "csv",
    ".csv.gz": "csv.gz",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".parquet": "parquet",
}
_UNREADABLE = ("it cannot be read", "let the user that runs perennial read it")
_SUFFIXES = ", ".join(FORMATS)


@dataclass(frozen=True)
class Found:
    """A regular file with a known suffix in the folder of a declared table."""

    table: Table
    path: Path
    file_name: str
    format: str


@dataclass(frozen=True)
class Look:
    """How a file looked at one moment. Two equal looks mean that it stands still."""

    size: int
    mtime_ns: int
    sha: str
    at: float


def discover(
    landing: Path,
    declared: Mapping[str, Mapping[str, Table]],
    enabled: Set[str],
    only: Set[str] | None,
) -> tuple[list[Found], list[RefusedFile]]:
    """List landing/<channel>/<table>/<file> in a fixed order; with `only`, just these channels.

    Names that begin with a dot or end in .part or .tmp are left alone; links are never followed.
    """
    found: list[Found] = []
    refused: list[RefusedFile] = []
    for entry in _entries(landing):
        channel = _shown(entry.name)
        if only is not None and channel not in only:
            continue
        if not _is_folder(entry):
            where = RefusedFile(
                "", "", channel, *_not_a_folder(entry, "landing/<channel>/<table>/")
            )
            refused.append(where)
        elif channel not in declared:
            remedy = f"declare it in models/staging/{channel}/_{channel}__sources.yml or remove it"
            refused.append(RefusedFile(channel, "", "", "the channel is not declared", remedy))
        elif channel not in enabled:
            remedy = "add its line to the var channels in dbt_project.yml or remove the folder"
            refused.append(RefusedFile(channel, "", "", "the channel is not enabled", remedy))
        else:
            try:
                _discover_channel(Path(entry.path), channel, declared[channel], found, refused)
            except PermissionError:
                refused.append(RefusedFile(channel, "", "", *_UNREADABLE))
    return found, refused


def _discover_channel(
    folder: Path,
    channel: str,
    tables: Mapping[str, Table],
    found: list[Found],
    refused: list[RefusedFile],
) -> None:
    for entry in _entries(folder):
        name = _shown(entry.name)
        if not _is_folder(entry):
            expected = f"landing/{channel}/<table>/"
            refused.append(RefusedFile(channel, "", name, *_not_a_folder(entry, expected)))
        elif name not in tables:
            remedy = f"use one of {', '.join(sorted(tables))}, or declare the table"
            refused.append(RefusedFile(channel, name, "", "the table is not declared", remedy))
        else:
            try:
                files = _entries(Path(entry.path))
            except PermissionError:
                refused.append(RefusedFile(channel, name, "", *_UNREADABLE))
                continue
            for file in files:
                _take(file, tables[name], found, refused)


def _take(
    entry: os.DirEntry[str], table: Table, found: list[Found], refused: list[RefusedFile]
) -> None:
    name = _shown(entry.name)

    def refuse(reason: str, remedy: str) -> None:
        refused.append(RefusedFile(table.channel, table.name, name, reason, remedy))

    if entry.is_symlink():
        refuse("it is a link, and links are not followed", "put the file itself there")
    elif entry.is_dir(follow_symlinks=False):
        refuse("it is a directory where a file belongs", "move its files one level up")
    elif not entry.is_file(follow_symlinks=False):
        refuse("it is no regular file", "put a regular file there")
    else:
        lower = entry.name.lower()
        suffix = next(
            (s for s in sorted(FORMATS, key=len, reverse=True) if lower.endswith(s)), None
        )
        if suffix is None:
            refuse("its suffix is unknown", f"deliver it as {_SUFFIXES}")
        else:
            found.append(Found(table, Path(entry.path), name, FORMATS[suffix]))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        visible = [
            entry
            for entry in entries
            if not entry.name.startswith(".") and not entry.name.lower().endswith((".part", ".tmp"))
        ]
    return sorted(visible, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _not_a_folder(entry: os.DirEntry[str], expected: str) -> tuple[str, str]:
    if entry.is_symlink():
        return "it is a link, and links are not followed", "put the folder itself there"
    return "a file does not belong here", f"move it to {expected}"


def _shown(name: str) -> str:
    """A file name as text: bytes that are no UTF-8 are shown escaped."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def stat_file(path: Path) -> tuple[int, int]:
    """Size and modification time (ns) of a regular file.

    Raises Refused when it cannot be looked at, FileNotFoundError when it is gone.
    """
    try:
        status = path.lstat()
    except PermissionError:
        raise Refused(*_UNREADABLE) from None
    if not stat.S_ISREG(status.st_mode):
        raise Refused("it is no regular file", "put a regular file there")
    return status.st_size, status.st_mtime_ns


def look_at(path: Path, now: float) -> Look:
    """Read a file once for its size and SHA-256, without following a link.

    Raises Refused when it cannot be read, FileNotFoundError when it is gone.
    """
    size, mtime_ns = stat_file(path)
    digest = hashlib.sha256()
    read = 0
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(handle, "rb") as file:
            while block := file.read(4 << 20):
                digest.update(block)
                read += len(block)
    except FileNotFoundError:
        raise
    except OSError:
        raise Refused(*_UNREADABLE) from None
    if read != size:
        size = -1
    return Look(size, mtime_ns, digest.hexdigest(), now)
