"""How often Python looks for cycles of garbage."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """For programs that make millions of objects and keep them to the end, as dbt and Dagster do:
    going through them again and again is up to a fifth of their work."""
    gc.set_threshold(100_000, 50, 100)
