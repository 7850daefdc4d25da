"""dbt checks the keys of YAML files for four adapters only; here the check is switched on for DuckDB.

Without it a misspelt key passes silently: a test that is never run, a contract that is never enforced.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]

CHECK = """
import sys
import dbt.jsonschemas.jsonschemas as schemas
schemas._JSONSCHEMA_SUPPORTED_ADAPTERS.add("duckdb")
from dbt.cli.main import dbtRunner
result = dbtRunner().invoke(["parse", "--no-partial-parse", "--show-all-deprecations"])
sys.exit(0 if result.success else 1)
"""


def _parse(project: Path, target: Path) -> str:
    env = {**os.environ, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
    env.pop("PERENNIAL_DATA", None)
    done = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=project, env=env, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_no_deprecated_or_unknown_key(tmp_path: Path) -> None:
    output = _parse(PROJECT, tmp_path / "target")
    assert "Deprecat" not in output, output


def test_the_check_sees_a_misspelt_key(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "data").mkdir()
    shutil.copy(PROJECT / "profiles.yml", project)
    (project / "dbt_project.yml").write_text(
        "name: small\nversion: '1.0'\nprofile: perennial\nmodel-paths: [models]\n"
    )
    (project / "models" / "one.sql").write_text("select 1 as a\n")
    (project / "models" / "one.yml").write_text(
        "models:\n  - name: one\n    descriptoin: a misspelt key\n"
    )
    assert "Deprecat" in _parse(project, tmp_path / "target")
