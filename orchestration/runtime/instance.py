"""Dagster's storage under the data root, wherever `dagster dev` or `perennial` is started from.

dagster.yaml can name an environment variable but not a folder below it, hence these classes. The
event log also keeps its connections open: Dagster's own opens and closes one for each of the three
thousand events of a run, which takes longer than the models do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, inspect

from orchestration.runtime.paths import PROJECT_DIR, DataPaths

KEPT_RUNS = 30


def _folder() -> str:
    folder = DataPaths.from_environment().dagster
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


class OpenEventLog(SqliteEventLogStorage):
    """The SQLite event log with one open connection for each database.

    Commits do not wait for the disk: after a power cut the last events of a run may be missing, but
    the file is whole, and nothing but the display depends on it.
    """

    def __init__(self, base_dir: str):
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                engine = self._engines[shard] = _engine(self.conn_string_for_shard(shard))
                self._initdb(engine)
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._tables:
            with self.index_connection() as connection:
                self._tables |= set(inspect(connection).get_table_names())
        return table_name in self._tables

    def delete_events(self, run_id: str) -> None:
        with self.index_connection() as connection:
            self.delete_events_for_run(connection, run_id)
        if run_id in self._engines:
            self._engines.pop(run_id).dispose()
        for ending in ("", "-wal", "-shm"):
            Path(self.path_for_shard(run_id) + ending).unlink(missing_ok=True)

    def dispose(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()


def _engine(address: str) -> Engine:
    engine = create_engine(
        address,
        poolclass=QueuePool,
        pool_size=1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _do_not_wait_for_the_disk(connection: Any, _: Any) -> None:
        connection.execute("pragma synchronous = normal")

    return engine


class DataRootStorage(DagsterSqliteStorage):
    """Runs, events and schedules in `$PERENNIAL_DATA/dagster`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None):
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(f"{base_dir}/history/runs/")

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


def forget_old_runs(instance: DagsterInstance) -> None:
    """Keep what the UI shows of the last KEPT_RUNS runs; each one takes about ten megabytes."""
    for run in instance.get_runs()[KEPT_RUNS:]:
        if run.is_finished:
            instance.delete_run(run.run_id)
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
