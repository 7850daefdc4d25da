"""Fixed cuts without money rows stop the build with a sentence that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

from checkout import run


def test_fixed_cuts_need_money_rows(demo_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(demo_root, root, ignore=shutil.ignore_patterns("landing", "truth", "target"))
    done = run(
        "dbt", "run", "--select", "rfm_cutpoint", "--vars", "{rfm_method: fixed}",
        data_root=root, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "the seed rfm_config does not hold four different monetary cuts" in done.stdout
    assert "add the rows to seeds/rfm_config.csv" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
