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
from orchestration.runtime import dbt
from orchestration.runtime.progress import Progress


def build_definitions(manifest_file: Path, progress: Progress) -> Definitions:
    """Assets, job, schedule and sensor for the dbt project that this manifest describes."""
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    parts = dbt.parts(manifest)
    build = [make_dbt_assets(manifest, part) for part in parts]
    if dbt.AFTER in parts:
        build.append(clv_predictions)
    return Definitions(
        assets=[landing, *build, make_publish(manifest), report],
        jobs=[refresh],
        schedules=[daily],
        sensors=[new_raw_files],
        resources={"refresh": Refresh(), "dbt": dbt_resource(), "progress": progress},
        executor=in_process_executor,
    )
