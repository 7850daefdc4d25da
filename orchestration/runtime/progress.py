"""One line for each step of a run, for whoever watches: Dagster's log, or the terminal too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TextIO

Log = Callable[[str], None]


class Step:
    """A step that is under way: `tick` while it works, `say` what came of it."""

    def __init__(self, name: str, show: Callable[[str], None]):
        self.name = name
        self.text = ""
        self.details: list[str] = []
        self._show = show

    def tick(self, text: str) -> None:
        """Where the step stands; shown only on a terminal, where the next one takes its place."""
        self._show(text)

    def say(self, text: str, *details: str) -> None:
        """What came of the step: one line, and lines about single things that want attention."""
        self.text = text
        self.details = list(details)


class Progress:
    """Tells nobody but the log that each step is given. Dagster uses this one by itself.

    `error` is what ended the last step that failed.
    """

    error: BaseException | None = None

    @contextlib.contextmanager
    def step(self, name: str, log: Log | None = None) -> Iterator[Step]:
        """Time a step and pass on what it said. An exception is kept and passes through."""
        step = Step(name, self._transient)
        started = time.monotonic()
        self._transient(f"{name:<9} ...")
        try:
            yield step
        except BaseException as error:
            self.error = error
            self._transient("")
            raise
        line = f"{name:<9} {step.text}"
        self._line(line, time.monotonic() - started)
        for detail in step.details:
            self._detail(detail)
        if log:
            for text in (line, *step.details):
                log(text)

    def _transient(self, text: str) -> None:
        """Progress that nobody reads later."""

    def _line(self, line: str, seconds: float) -> None:
        """A finished step."""

    def _detail(self, text: str) -> None:
        """A line below a finished step."""


class TerminalProgress(Progress):
    """Writes to a stream that stays the terminal's while Dagster captures the standard ones."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._is_terminal = stream.isatty()

    def _transient(self, text: str) -> None:
        if self._is_terminal:
            self._stream.write(f"\r\x1b[2K{text}")
            self._stream.flush()

    def _line(self, line: str, seconds: float) -> None:
        if self._is_terminal:
            self._stream.write("\r\x1b[2K")
        self._stream.write(f"{line}  ({seconds:.1f} s)\n")
        self._stream.flush()

    def _detail(self, text: str) -> None:
        self._stream.write(f"{'':<10}{text}\n")
        self._stream.flush()
