"""Dagster's storage: under the data root, and no larger than the last runs need."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import DagsterInstance, job, op

from orchestration.runtime import instance as instances


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagsterInstance:
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path))
    with instances.dagster_instance() as instance:
        yield instance


@op
def say() -> None:
    print("something")


@job
def talk() -> None:
    say()


def test_storage_lies_under_the_data_root(instance: DagsterInstance, tmp_path: Path) -> None:
    talk.execute_in_process(instance=instance)
    assert (tmp_path / "dagster" / "history" / "runs" / "index.db").is_file()
    assert list((tmp_path / "dagster" / "storage").rglob("*.out"))
    assert not instance.telemetry_enabled


def test_old_runs_are_forgotten_with_their_files(
    instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "KEPT_RUNS", 2)
    ran = [talk.execute_in_process(instance=instance).run_id for _ in range(4)]
    instances.forget_old_runs(instance)
    assert [run.run_id for run in instance.get_runs()] == [ran[3], ran[2]]
    shards = {
        path.name.split(".")[0] for path in (tmp_path / "dagster" / "history" / "runs").iterdir()
    }
    assert shards == {"index", ran[2], ran[3]}
    assert {path.name for path in (tmp_path / "dagster" / "storage").iterdir()} == {ran[2], ran[3]}
    assert any(event.is_dagster_event for event in instance.all_logs(ran[3]))
