"""Dagster's storage under the data root, wherever `dagster dev` or `perennial` is started from.

dagster.yaml can name an environment variable but not a folder below it, hence these three classes.
"""

from __future__ import annotations

from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from orchestration.runtime.paths import PROJECT_DIR, DataPaths


def _folder() -> str:
    folder = DataPaths.from_environment().dagster
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


class DataRootStorage(DagsterSqliteStorage):
    """Runs, events and schedules in `$PERENNIAL_DATA/dagster`."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Any
    ) -> DataRootStorage:
        return cls.from_local(_folder(), inst_data=inst_data)


class DataRootArtifacts(LocalArtifactStorage):
    """Files of runs in `$PERENNIAL_DATA/dagster/storage`."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> DataRootArtifacts:
        return cls(base_dir=_folder(), inst_data=inst_data)


class DataRootComputeLogs(LocalComputeLogManager):
    """What steps print, in `$PERENNIAL_DATA/dagster/storage`."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> DataRootComputeLogs:
        return cls(base_dir=f"{_folder()}/storage", inst_data=inst_data)


def dagster_instance() -> DagsterInstance:
    """The instance that the committed dagster.yaml describes, as `dagster dev` opens it."""
    return DagsterInstance.from_ref(InstanceRef.from_dir(_folder(), config_dir=str(PROJECT_DIR)))
