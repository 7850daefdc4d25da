"""The pipeline as Dagster assets: landing, every dbt node with its data tests as checks, publish,
report.

Signatures are read by Dagster at run time, so annotations stay real here.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version as installed_version
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    ConfigurableResource,
    Failure,
    InitResourceContext,
    MaterializeResult,
    ResourceParam,
    asset,
)
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    dbt_assets,
)
from packaging.version import Version
from pydantic import Field

from orchestration import steps
from orchestration.errors import UserError
from orchestration.runtime import dbt as dbt_runtime
from orchestration.runtime.instance import forget_old_runs
from orchestration.runtime.lock import run_lock
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.progress import Progress, Step
from orchestration.runtime.settings import Settings, pick_channels, read_settings

LANDING = AssetKey("landing")
PREDICTIONS = AssetKey("clv_predictions")
PUBLISH = AssetKey("publish")


class Refresh(ConfigurableResource):
    """What one run is asked for. It holds the run lock as long as the run lasts."""

    as_of: str | None = Field(
        default=None, description="Day to build as of; none = the last complete day in the data."
    )
    channels: list[str] = Field(
        default_factory=list, description="Channels to land in this run; none = all of them."
    )
    vars: dict[str, Any] = Field(
        default_factory=dict, description="Settings of dbt_project.yml to override in this run."
    )

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Generator["Refresh", None, None]:
        with run_lock(self.paths.lock, context.run.run_id):
            forget_old_runs(context.instance)
            yield self

    @property
    def paths(self) -> DataPaths:
        return DataPaths.from_environment()

    @property
    def settings(self) -> Settings:
        return read_settings(self.as_of, self.vars)


class Dbt(DbtCliResource):
    """dbt without what a build here has no use for: asking the pinned program for its version, and
    a second connection of Dagster's own. Both cost seconds in every run."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(installed_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: object) -> None:
        return None


class LayerTranslator(DagsterDbtTranslator):
    """Groups are layers; every raw table comes from the one asset `landing`, everything predicted
    from `clv_predictions`."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        named = dbt_resource_props.get("config", {}).get("meta", {}).get("dagster", {})
        if dbt_resource_props["resource_type"] == "source" and "asset_key" not in named:
            is_predicted = dbt_resource_props["source_name"] == dbt_runtime.PREDICTIONS
            return PREDICTIONS if is_predicted else LANDING
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return dbt_resource_props["fqn"][1]


@contextmanager
def reported(progress: Progress, name: str, context: AssetExecutionContext) -> Iterator[Step]:
    """A step of the run; a user's mistake fails it with its sentence instead of a traceback."""
    try:
        with progress.step(name, context.log.info) as step:
            yield step
    except UserError as error:
        raise Failure(description=str(error), allow_retries=False) from error


@asset(key=LANDING, group_name="landing", kinds={"python"})
def landing(
    context: AssetExecutionContext, refresh: Refresh, progress: ResourceParam[Progress]
) -> MaterializeResult:
    """Raw channel files under landing/, as text-typed Parquet with a ledger; bad records in
    quarantine."""
    with reported(progress, "land", context) as step:
        settings = refresh.settings
        pick_channels(settings, refresh.channels)
        figures = steps.land_files(
            refresh.paths, settings, refresh.channels, context.run_id, step, context.log.info
        )
    return MaterializeResult(metadata=figures)


def make_dbt_assets(manifest: Mapping[str, Any], part: dbt_runtime.Part) -> AssetsDefinition:
    """One asset for each seed and model of a part, one check for each data test."""
    manifest_nodes = manifest["nodes"]

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=LayerTranslator(),
        name=part.asset,
        select=part.select,
        exclude=part.exclude,
    )
    def dbt_part(
        context: AssetExecutionContext,
        dbt: Dbt,
        refresh: Refresh,
        progress: ResourceParam[Progress],
    ):
        with reported(progress, part.name, context) as step:
            paths, settings = refresh.paths, refresh.settings
            steps.before_build(paths, part)
            given = ["--vars", json.dumps(settings.given)] if settings.given else []
            with dbt_runtime.as_dbt_may_see_it(paths):
                invocation = dbt.cli(
                    [*dbt_runtime.BUILD, *given],
                    context=context,
                    target_path=paths.target,
                    raise_on_error=False,
                )
            finished, unknown = 0, 0
            with (paths.target / "dbt.log").open("w", encoding="utf-8") as log:
                for event in invocation.stream_raw_events():
                    print(event, file=log)
                    if not event.is_result_event:
                        continue
                    finished += 1
                    step.tick(f"{part.name:<9} {finished} models and tests done")
                    if event.raw_event["data"]["node_info"]["unique_id"] not in manifest_nodes:
                        unknown += 1
                        continue
                    yield from event.to_default_asset_events(
                        manifest=invocation.manifest,
                        dagster_dbt_translator=invocation.dagster_dbt_translator,
                        context=context,
                        target_path=paths.target,
                    )
            if unknown:
                raise dbt_runtime.BuildFailedError(
                    "The project's files changed while the run was under way, so nothing is "
                    "published; run again."
                )
            error = invocation.get_error()
            figures = steps.after_build(
                paths, settings, context.run_id, str(error) if error else "", step, part
            )
            context.log.info("%s", figures)

    return dbt_part


@asset(
    key=PREDICTIONS,
    deps=[AssetKey([*place]) for place in dbt_runtime.FEATURES],
    check_specs=[AssetCheckSpec("answered", asset=PREDICTIONS)],
    group_name="predictions",
    kinds={"python"},
)
def clv_predictions(
    context: AssetExecutionContext, refresh: Refresh, progress: ResourceParam[Progress]
) -> MaterializeResult:
    """Fits, backtests and predictions of customer lifetime value, as Parquet under clv/. Models
    that fail leave the last predictions; the check says so."""
    with reported(progress, "predict", context) as step:
        figures = steps.predict_values(refresh.paths, refresh.settings, step, context.log.info)
    check = AssetCheckResult(passed="failed" not in figures, severity=AssetCheckSeverity.WARN)
    return MaterializeResult(metadata=figures, check_results=[check])


def make_publish(manifest: Mapping[str, Any]) -> AssetsDefinition:
    """The published file, downstream of every model that readers get."""
    translator = LayerTranslator()

    @asset(
        key=PUBLISH,
        deps=[translator.get_asset_key(node) for node in dbt_runtime.public_models(manifest)],
        group_name="serving",
        kinds={"python", "duckdb"},
    )
    def publish(
        context: AssetExecutionContext, refresh: Refresh, progress: ResourceParam[Progress]
    ) -> MaterializeResult:
        """Core and marts in one read-only file, put in place whole after every test has passed."""
        with reported(progress, "publish", context) as step:
            rows = steps.publish_marts(refresh.paths, context.run_id, step)
        return MaterializeResult(metadata={"rows": dict(rows)})

    return publish


@asset(deps=[PUBLISH], group_name="serving", kinds={"python"})
def report(
    context: AssetExecutionContext, refresh: Refresh, progress: ResourceParam[Progress]
) -> MaterializeResult:
    """One HTML page of pictures from the published file."""
    with reported(progress, "report", context) as step:
        size = steps.report_page(refresh.paths, step)
    return MaterializeResult(metadata={"bytes": size})


def dbt_resource() -> Dbt:
    """dbt of this environment on the project of this checkout."""
    return Dbt(
        project_dir=str(PROJECT_DIR),
        profiles_dir=str(PROJECT_DIR),
        dbt_executable=str(dbt_runtime.EXECUTABLE),
        global_config_flags=list(dbt_runtime.FLAGS),
    )
