"""The Dagster code location: it loads with nothing prepared, and has the shape of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
DESCRIBE = """
import json, shutil
assert shutil.which("dbt") is None
from dagster import AssetKey
from orchestration.definitions import defs
graph = defs.resolve_asset_graph()
key = lambda k: k.to_user_string()
print(json.dumps({
    "groups": {key(k): graph.get(k).group_name for k in graph.get_all_asset_keys()},
    "parents": {key(k): sorted(map(key, graph.get(k).parent_keys)) for k in graph.get_all_asset_keys()},
    "checks": sorted([key(c.asset_key), c.name, graph.get(c).blocking] for c in graph.asset_check_keys),
    "executor": defs.resolve_job_def("refresh").executor_def.name,
    "ops": sorted(n.name for n in defs.resolve_job_def("refresh").graph.nodes),
    "schedule": [defs.get_schedule_def("daily").cron_schedule, defs.get_schedule_def("daily").execution_timezone],
    "sensor": defs.get_sensor_def("new_raw_files").job_name,
}))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The definitions as a process sees them that has no dbt on PATH, no manifest, no data, no key."""
    root = tmp_path_factory.mktemp("definitions")
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PERENNIAL_", "DBT_", "DAGSTER_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE],
        cwd=PROJECT, capture_output=True, text=True, check=False,
        env=kept | {"PATH": "/nowhere", "PERENNIAL_DATA": str(root / "data"), "DBT_TARGET_PATH": str(root / "target")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def nodes(loaded: dict, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The manifest that loading has made."""
    target = tmp_path_factory.getbasetemp() / "definitions0" / "target"
    return json.loads((target / "manifest.json").read_text())["nodes"]


def test_groups_are_layers(loaded: dict) -> None:
    groups = loaded["groups"]
    assert groups["landing"] == "landing"
    assert groups["publish"] == groups["report"] == "serving"
    assert groups["staging/stg_pos__order_header"] == "staging"
    assert groups["unified/unified_order_header"] == "unified"
    assert groups["core/fct_order"] == "core"
    assert groups["marts/customer_rfm"] == "marts"
    assert groups["seeds/fx_rate"] == "seeds"
    assert groups["clv_predictions"] == "predictions"
    assert set(groups.values()) == {
        "landing",
        "staging",
        "unified",
        "identity",
        "core",
        "marts",
        "predictions",
        "seeds",
        "serving",
    }


def test_edges_go_from_landing_to_the_report(loaded: dict) -> None:
    parents = loaded["parents"]
    assert parents["landing"] == []
    assert "landing" in parents["staging/stg_pos__order_header"]
    assert parents["report"] == ["publish"]
    assert {"core/fct_order", "marts/customer_rfm", "marts/reconciliation_files"} <= set(
        parents["publish"]
    )


def test_predictions_stand_between_core_and_the_marts_that_read_them(loaded: dict) -> None:
    parents = loaded["parents"]
    features = [
        "core/fct_subscription",
        "marts/int_clv__day_changes",
        "marts/int_clv__prospects",
    ]
    assert parents["clv_predictions"] == features
    assert "clv_predictions" in parents["marts/clv_prediction"]
    assert "core/fct_order" in _upstream(parents, "clv_predictions")
    after = {key for key in parents if "clv_predictions" in _upstream(parents, key)}
    assert "marts/customer_clv" in after
    assert not any(key.startswith("core/") for key in after)
    # One call of dbt makes all of these, another one the rest.
    assert not {key for key in _upstream(parents, "clv_predictions") if key in after}


def _upstream(parents: dict, key: str) -> set[str]:
    found: set[str] = set()
    waiting = [key]
    while waiting:
        for parent in parents[waiting.pop()]:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def test_publish_waits_for_every_public_model_and_no_other(loaded: dict, nodes: dict) -> None:
    public = {
        f"{node['config']['schema']}/{node['name']}"
        for node in nodes.values()
        if node["resource_type"] == "model" and node["access"] == "public"
    }
    assert set(loaded["parents"]["publish"]) == public


def test_every_node_is_an_asset_and_every_data_test_a_check(loaded: dict, nodes: dict) -> None:
    kinds = [node["resource_type"] for node in nodes.values()]
    assert len(loaded["groups"]) == kinds.count("model") + kinds.count("seed") + 4
    checked = {name for _, name, _ in loaded["checks"]}
    generic = {
        node["name"]
        for node in nodes.values()
        if node["resource_type"] == "test" and node.get("attached_node")
    }
    assert generic <= checked
    assert all(blocking for _, name, blocking in loaded["checks"] if name in generic)


def test_one_job_in_process_with_a_schedule_and_a_sensor(loaded: dict) -> None:
    assert loaded["ops"] == [
        "clv_predictions",
        "dbt_predicted",
        "dbt_project",
        "landing",
        "publish",
        "report",
    ]
    assert loaded["executor"] == "in_process"
    assert loaded["schedule"] == ["30 5 * * *", "Asia/Shanghai"]
    assert loaded["sensor"] == "refresh"


def test_the_code_location_is_short() -> None:
    assert len((PROJECT / "orchestration" / "definitions.py").read_text().splitlines()) < 60
