"""Files that are either whole or absent, whenever the process dies: temp, fsync, rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
SHARED_FILE = 0o644


def make_private_dir(path: Path) -> Path:
    """Make a directory (and missing parents) that only the owner may enter."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True, mode=PRIVATE_DIR)
    return path


def sync(path: Path) -> None:
    """Make the bytes of this file, or the renames in this directory, survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(target: Path, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it takes the target's place in one step.

    The temporary name begins with a dot and ends in .tmp, so that no glob over *.parquet sees it.
    On an exception the temporary file is removed and the old target stays.
    """
    if private:
        make_private_dir(target.parent)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        temporary.chmod(PRIVATE_FILE if private else SHARED_FILE)
        sync(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync(target.parent)


def remove_leftovers(root: Path) -> None:
    """Delete temporary files that a killed run left under `root`."""
    if not root.is_dir():
        return
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not (Path(folder) / name).is_symlink()]
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                (Path(folder) / name).unlink(missing_ok=True)
