"""When the pipeline runs: the job, its daily hour, and a look-out for new raw files."""

import hashlib
import json

from dagster import (
    AssetSelection,
    DefaultSensorStatus,
    RunRequest,
    ScheduleDefinition,
    SensorEvaluationContext,
    SkipReason,
    define_asset_job,
    in_process_executor,
    sensor,
)

from orchestration.landing.contract import load_sources
from orchestration.landing.discover import discover, stat_file
from orchestration.landing.ledger import Ledger
from orchestration.landing.refusal import Refused
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.settings import project_settings, read_settings

# Most shops' own nightly exports have arrived by then.
DAILY = "30 5 * * *"
SECONDS_BETWEEN_LOOKS = 30

refresh = define_asset_job(
    "refresh",
    selection=AssetSelection.all(),
    description="Land what is new, build and test every model, publish, draw the report.",
    # A process for each step would import everything again for each of them: about ten times
    # slower.
    executor_def=in_process_executor,
)

daily = ScheduleDefinition(
    name="daily",
    job=refresh,
    cron_schedule=DAILY,
    execution_timezone=str(project_settings()["business_timezone"]),
    description="Every morning in the business time zone.",
)


@sensor(
    name="new_raw_files",
    job=refresh,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=DefaultSensorStatus.STOPPED,
)
def new_raw_files(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    """Start a run when there are files that landing has not seen and all of them stand still."""
    unseen = unseen_files(DataPaths.from_environment())
    looked = hashlib.sha256(json.dumps(unseen).encode()).hexdigest()
    before, _, requested = (context.cursor or "").partition("\n")
    if not unseen:
        context.update_cursor("")
        return SkipReason("No new files.")
    if looked != before:
        context.update_cursor(f"{looked}\n{requested}")
        return SkipReason(f"{len(unseen)} new files; waiting until they stand still.")
    if looked == requested:
        return SkipReason(f"{len(unseen)} new files, for which a run was requested before.")
    context.update_cursor(f"{looked}\n{looked}")
    return RunRequest(tags={"new_files": str(len(unseen))})


def unseen_files(paths: DataPaths) -> list[list]:
    """[channel, table, name, size, time] of each raw file that landing has not judged as it now
    is."""
    if not paths.landing.is_dir():
        return []
    sources = load_sources(PROJECT_DIR)
    found, _ = discover(paths.landing, sources.channels, set(read_settings().channels), None)
    ledger = Ledger(paths.root)
    unseen = []
    for file in found:
        place = (file.table.channel, file.table.name, file.file_name)
        try:
            look = stat_file(file.path)
        except (Refused, FileNotFoundError):
            continue
        if not any((row.size_bytes, row.mtime_ns) == look for row in ledger.at(place)):
            unseen.append([*place, *look])
    return unseen
