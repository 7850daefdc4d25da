"""The Dagster code location: `dagster dev` in the checkout loads it.

`perennial run` builds the same from `pipeline`, with its own eyes on the steps.
"""

from orchestration.pipeline import build_definitions
from orchestration.runtime.progress import Progress

defs = build_definitions(Progress())
