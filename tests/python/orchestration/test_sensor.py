"""The sensor on new raw files: it waits until they stand still, and asks for each delivery once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dagster import RunRequest, SensorEvaluationContext, SkipReason, build_sensor_context

from orchestration.jobs import new_raw_files
from orchestration.landing import land
from orchestration.runtime.paths import PROJECT_DIR

KEY = b"a key of thirty-two bytes or more"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERENNIAL_DATA", str(tmp_path))
    folder = tmp_path / "landing" / "direct" / "account"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def sensor() -> SensorEvaluationContext:
    return build_sensor_context()


def look(sensor: SensorEvaluationContext) -> str:
    """One look of the sensor: what it did, in a word."""
    result = new_raw_files(sensor)
    if isinstance(result, RunRequest):
        return "run"
    assert isinstance(result, SkipReason)
    return result.skip_message


def test_nothing_new(folder: Path, sensor: SensorEvaluationContext) -> None:
    assert look(sensor) == "No new files."
    (folder / ".hidden.csv").write_text("x")
    (folder / "half.csv.part").write_text("x")
    assert look(sensor) == "No new files."


def test_a_file_that_grows_is_waited_for(folder: Path, sensor: SensorEvaluationContext) -> None:
    file = folder / "a.csv"
    file.write_text("source_system,source_record_id\n")
    assert "waiting" in look(sensor)
    file.write_text("source_system,source_record_id\nx,1\n")
    assert "waiting" in look(sensor)
    assert look(sensor) == "run"
    assert "requested before" in look(sensor)


def test_another_file_is_another_request(folder: Path, sensor: SensorEvaluationContext) -> None:
    (folder / "a.csv").write_text("source_system,source_record_id\nx,1\n")
    assert [("waiting" in look(sensor)), look(sensor)] == [True, "run"]
    (folder / "b.csv").write_text("source_system,source_record_id\nx,2\n")
    assert [("waiting" in look(sensor)), look(sensor)] == [True, "run"]


def test_what_landing_has_judged_is_not_new(folder: Path, sensor: SensorEvaluationContext) -> None:
    (folder / "a.csv").write_text("source_system,source_record_id\nx,1\n")
    (folder / "refused.csv").write_text("something\n1\n")
    (folder / "same.csv").write_text("source_system,source_record_id\nx,1\n")
    land(folder.parents[2], PROJECT_DIR, None, KEY, "run", lambda _: None, settle_seconds=0)
    assert look(sensor) == "No new files."
    os.utime(folder / "a.csv", ns=(1, 1))
    assert "1 new files" in look(sensor)
