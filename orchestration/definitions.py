"""The Dagster code location: `dagster dev` in the checkout loads it.

The dbt project is parsed if its manifest is missing or old. `perennial run` builds the same from
`pipeline`, with its own eyes on the steps.
"""

from orchestration.pipeline import build_definitions
from orchestration.runtime.dbt import ensure_manifest
from orchestration.runtime.paths import DataPaths
from orchestration.runtime.progress import Progress

defs = build_definitions(ensure_manifest(DataPaths.from_environment()), Progress())
