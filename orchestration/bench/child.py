"""Work in a process of its own, so that its peak memory is its own.

The parent calls `measure("orchestration.bench.solvers", "scipy_solve", ...)`; the child imports the
module, calls the function with the same arguments and prints what it returns as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.runtime.paths import PROJECT_DIR

THREADS = 2
_MARK = "perennial bench: "
_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


class ChildError(Exception):
    """A child ended without an answer; the message holds the end of what it printed."""


@dataclass(frozen=True)
class Measured:
    """`answer` is what the function returned; `peak_bytes` the child's largest resident memory."""

    answer: dict[str, Any]
    peak_bytes: int


def measure(module: str, function: str, **arguments: Any) -> Measured:
    """Call a function of a module with JSON-able arguments in a new process.

    The kernel counts what the parent held when it forked as the child's too, so a parent that
    measures memory must stay small: it never reads the data itself.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.bench.child", module, function],
            cwd=PROJECT_DIR,
            env=os.environ | threads,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            process.stdin.write(json.dumps(arguments))
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        text = out.read()
    found = [line for line in text.splitlines() if line.startswith(_MARK)]
    if process.returncode != 0 or not found:
        raise ChildError(f"{function} ended with {process.returncode}: {text[-2000:]}")
    return Measured(json.loads(found[-1].removeprefix(_MARK)), usage.ru_maxrss * _BYTES_PER_UNIT)


def main() -> None:
    """The child's side."""
    module, function = sys.argv[1:]
    arguments = json.load(sys.stdin)
    answer = getattr(importlib.import_module(module), function)(
        **{
            name: Path(value) if name.endswith(("file", "folder")) else value
            for name, value in arguments.items()
        }
    )
    print(_MARK + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
