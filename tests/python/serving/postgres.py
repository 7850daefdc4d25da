"""A PostgreSQL server of the tests' own, on a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "S3cr3t-p@ss/word"


def programs() -> Path | None:
    """The folder of Debian's PostgreSQL 15 or a later one, or of whichever is on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    on_path = shutil.which("initdb")
    if found:
        return found[0].parent
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def server() -> Iterator[Path]:
    """Start a server that asks for passwords; yields the folder of its socket (port 5432)."""
    folder = Path(tempfile.mkdtemp(prefix="perennial-pg-"))
    # PostgreSQL refuses to run as root.
    owner: dict = {}
    if os.geteuid() == 0:
        someone = _unprivileged()
        os.chown(folder, someone.pw_uid, someone.pw_gid)
        owner = {"user": someone.pw_uid, "group": someone.pw_gid, "extra_groups": []}
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **owner}
    data, control = folder / "data", str(programs() / "pg_ctl")
    try:
        subprocess.run(
            [str(programs() / "initdb"), "-D", str(data), "-U", "tester", "-A", "scram-sha-256",
             f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"],
            **run,
        )  # fmt: skip
        settings = f"-k {folder} -c listen_addresses= -c fsync=off -c autovacuum=off"
        subprocess.run(
            [control, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start"],
            **run,
        )
        try:
            yield folder
        finally:
            subprocess.run([control, "-D", str(data), "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
