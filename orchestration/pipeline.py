"""Everything of Dagster's put together, with or without somebody who watches the steps."""

import json
from pathlib import Path

from dagster import Definitions, in_process_executor

from orchestration.assets import (
    Refresh,
    clv_predictions,
    dbt_resource,
    landing,
    make_dbt_assets,
    make_publish,
    report,
)
from orchestration.jobs import daily, new_raw_files, refresh
from orchestration.runtime.dbt import parts as parts_of
from orchestration.runtime.progress import Progress


def build_definitions(manifest_file: Path, progress: Progress) -> Definitions:
    """Assets, job, schedule and sensor for the dbt project that this manifest describes."""
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    parts = parts_of(manifest)
    return Definitions(
        assets=[
            landing,
            *(make_dbt_assets(manifest, part) for part in parts),
            *([clv_predictions] if len(parts) > 1 else []),
            make_publish(manifest),
            report,
        ],
        jobs=[refresh],
        schedules=[daily],
        sensors=[new_raw_files],
        resources={"refresh": Refresh(), "dbt": dbt_resource(), "progress": progress},
        executor=in_process_executor,
    )
