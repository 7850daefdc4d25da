"""dbt as a process that does not outlive the run that started it.

A run that is killed would otherwise leave dbt behind, writing into the warehouse without the run
lock, and the next run would find the warehouse held by it.
"""

from __future__ import annotations

import os
import signal
import threading
import time

SECONDS_BETWEEN_LOOKS = 0.2


def end_with(parent: int) -> None:
    """End this process, at once and in the middle of anything, when it is no child of `parent`."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run dbt with this process's arguments."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    from dbt.cli.main import cli

    cli()


if __name__ == "__main__":
    main()
