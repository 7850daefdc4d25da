"""dbt as this environment has it: its program, its manifest, and what became of a build."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.runtime.paths import PROJECT_DIR, DataPaths

# For its log file dbt turns each debug message into JSON, which costs seconds; what it says
# otherwise is kept by the asset.
FLAGS = ("--no-use-colors", "--log-level-file", "none")
RESULTS = "run_results*.json"
# Unit tests are about the code, not the data, and a row that staging doubled is found again by the
# same key one layer up: `make test` and a bare `dbt build` run both.
BUILD = (
    *("build", "--exclude-resource-type", "unit_test"),
    *("--exclude", "path:models/staging,resource_type:test"),
)
# Python makes predictions from the warehouse, and marts read them: a run calls dbt before and after
# it, a bare `dbt build` reads the last predictions that it finds.
PREDICTIONS = "clv"
FEATURES = (
    ("marts", "int_clv__day_changes"),
    ("marts", "int_clv__prospects"),
    ("core", "fct_subscription"),
)


@dataclass(frozen=True)
class Part:
    """A share of the project that one call of dbt builds; `name` is that of the step, `asset` that
    of Dagster's op, the others are dbt's selections."""

    name: str
    asset: str
    select: str = "fqn:*"
    exclude: str | None = None

    def results(self, target: Path) -> Path:
        """Where the results of this part are kept until the whole is judged."""
        return target / f"run_results.{self.name}.json"


WHOLE = Part("build", "dbt_project")
BEFORE = Part("build", "dbt_project", exclude=f"source:{PREDICTIONS}+")
AFTER = Part("value", "dbt_predicted", select=f"source:{PREDICTIONS}+")


def parts(manifest: Mapping[str, Any]) -> list[Part]:
    """The calls of dbt that build the whole project: two where models read predictions."""
    names = {source["source_name"] for source in manifest["sources"].values()}
    return [BEFORE, AFTER] if PREDICTIONS in names else [WHOLE]


_PARSED = ("models", "macros", "seeds", "tests")
_PARSED_FILES = ("dbt_project.yml", "profiles.yml")
_NOT_FOR_DBT = "PERENNIAL_KEY"


class BuildFailedError(UserError):
    """The project does not parse, or a model or a test failed; nothing is published."""

    exit_code = 1


# Runs dbt by this Python: a virtual environment need not be on PATH.
EXECUTABLE = Path(__file__).with_name("dbt-child")


def environment(paths: DataPaths) -> dict[str, str]:
    """The environment as dbt may see it: an absolute data root, and without the key.

    dbt writes parts of its environment into artefacts and logs, so the key never enters it.
    """
    kept = {name: value for name, value in os.environ.items() if name != _NOT_FOR_DBT}
    return kept | {"PERENNIAL_DATA": str(paths.root), "PERENNIAL_PYTHON": sys.executable}


@contextlib.contextmanager
def as_dbt_may_see_it(paths: DataPaths) -> Iterator[None]:
    """The same as this process's own environment, for what starts dbt with a copy of that."""
    before = dict(os.environ)
    allowed = environment(paths)
    os.environ.pop(_NOT_FOR_DBT, None)
    os.environ.update(allowed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ensure_manifest(paths: DataPaths, project_dir: Path = PROJECT_DIR) -> Path:
    """Path of a manifest that is as new as the project's files; parses the project where it is not.

    Raises BuildFailedError with dbt's own words when the project does not parse.
    """
    target = (project_dir / os.environ.get("DBT_TARGET_PATH", "target")).absolute()
    manifest = target / "manifest.json"
    target.mkdir(parents=True, exist_ok=True)
    # `dagster dev` loads the definitions in several processes at once.
    with (target / ".parse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not manifest.is_file() or manifest.stat().st_mtime < _newest(project_dir):
            _parse(paths, project_dir, target)
    return manifest


def _newest(project_dir: Path) -> float:
    """Time of the last change to anything that dbt parses; a deletion changes its folder."""
    places = [project_dir / name for name in _PARSED_FILES]
    for folder in _PARSED:
        places += [project_dir / folder, *(project_dir / folder).rglob("*")]
    return max(
        place.stat().st_mtime
        for place in places
        if place.exists() and place.suffix not in (".py", ".pyc") and place.name != "__pycache__"
    )


def _parse(paths: DataPaths, project_dir: Path, target: Path) -> None:
    done = subprocess.run(
        [str(EXECUTABLE), *FLAGS, "parse", "--quiet"],
        cwd=project_dir,
        env=environment(paths) | {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailedError(
            f"The dbt project does not parse: {one_line(done.stdout or done.stderr)}; run `dbt "
            "parse` for the whole message."
        )


@dataclass(frozen=True)
class BuildOutcome:
    """What the artefacts of one `dbt build` say."""

    counts: Mapping[str, Counter]
    failed: list[str]
    is_complete: bool
    as_of_relation: str | None

    @property
    def has_passed(self) -> bool:
        return not self.failed

    def summary(self) -> str:
        """Models, seeds and tests in one line."""
        models, seeds, tests = (self.counts[kind] for kind in ("model", "seed", "test"))
        warned = f", {tests['warn']} warned" if tests["warn"] else ""
        return (
            f"{sum(models.values())} models, {sum(seeds.values())} seeds, {tests['pass']} of "
            f"{sum(tests.values())} tests passed{warned}"
        )


def read_outcome(target: Path) -> BuildOutcome:
    """Read manifest.json and the results of a build that has ended, of all its parts."""
    nodes = load_manifest(target)["nodes"]
    results = [
        result
        for file in sorted(target.glob(RESULTS))
        for result in json.loads(file.read_text(encoding="utf-8"))["results"]
    ]
    counts: dict[str, Counter] = {kind: Counter() for kind in ("model", "seed", "test")}
    failed = []
    for result in results:
        node = nodes.get(
            result["unique_id"], {"resource_type": "operation", "name": result["unique_id"]}
        )
        counts.setdefault(node["resource_type"], Counter())[result["status"]] += 1
        if result["status"] in ("error", "fail", "runtime error"):
            failed.append(node["name"])
    ran = {result["unique_id"] for result in results}
    wanted = {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] in counts
        and node["config"].get("materialized") != "ephemeral"
        and not (
            node["resource_type"] == "test"
            and node["original_file_path"].startswith("models/staging/")
        )
    }
    return BuildOutcome(counts, failed, wanted <= ran, _relation(nodes, "int_core__as_of"))


def load_manifest(target: Path) -> dict[str, Any]:
    """The manifest of the build in this folder."""
    return json.loads((target / "manifest.json").read_text(encoding="utf-8"))


def compiled_sql(target: Path, node: Mapping[str, Any]) -> str:
    """SQL of a model as it was built; a manifest holds that of the last part only."""
    if "compiled_code" in node:
        return node["compiled_code"]
    file = target / "compiled" / node["package_name"] / node["original_file_path"]
    return file.read_text(encoding="utf-8")


def public_models(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models that readers get (`access: public`), by name."""
    return sorted(
        (
            node
            for node in manifest["nodes"].values()
            if node["resource_type"] == "model" and node.get("access") == "public"
        ),
        key=lambda node: node["name"],
    )


def _relation(nodes: Mapping[str, Any], name: str) -> str | None:
    for node in nodes.values():
        if node["name"] == name and node["resource_type"] == "model":
            return f"{node['schema']}.{node['alias']}"
    return None


def rejected_input(messages: str) -> UserError | None:
    """The sentence about a setting or a row of a seed, if that is what stopped dbt."""
    found = re.search(r"^ *((Setting|Seed) [a-z_]+\b.*)", messages, re.MULTILINE)
    return UserError(found.group().strip()) if found else None


def one_line(text: str) -> str:
    """The first thing of substance that a program said, on one line."""
    lines = [re.sub(r"^[0-9:]+ +", "", line).strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("Running with", "Encountered"))]
    return " ".join(kept[:3])[:400]
