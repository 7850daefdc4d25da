"""dbt as a process that does not outlive the run that started it, and says what somebody reads.

A run that is killed would otherwise leave dbt behind, writing into the warehouse without the run
lock, and the next run would find the warehouse held by it. The rest saves processor time: debug
events are written nowhere here, but dbt makes a message of each, about a tenth of a build's.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from orchestration.runtime.garbage import collect_seldom

SECONDS_BETWEEN_LOOKS = 0.2


def end_with(parent: int) -> None:
    """End this process, at once and in the middle of anything, when it is no child of `parent`."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGKILL)


def drop_debug_events() -> None:
    """Let dbt make messages of its debug events only when somebody reads them, which nobody does
    here."""
    from dbt_common.events.base_types import BaseEvent, DebugLevel, EventLevel
    from dbt_common.events.event_manager import EventManager

    make_message, fire_event = BaseEvent.__init__, EventManager.fire_event

    def keep_what_was_said(self, *args, **kwargs):
        self.__dict__["said"] = args, kwargs

    def read(self, key):
        if key != "pb_msg":
            return getattr(self.pb_msg, key)
        args, kwargs = self.__dict__["said"]
        make_message(self, *args, **kwargs)
        return self.__dict__["pb_msg"]

    def fire_what_is_read(self, e, level=None, *args, **kwargs):
        if (level or e.level_tag()) != EventLevel.DEBUG:
            fire_event(self, e, level, *args, **kwargs)

    DebugLevel.__init__, DebugLevel.__getattr__ = keep_what_was_said, read
    EventManager.fire_event = fire_what_is_read


def main() -> None:
    """Run dbt with this process's arguments."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    collect_seldom()
    drop_debug_events()
    from dbt.cli.main import cli

    cli()


if __name__ == "__main__":
    main()
