"""A run that is interrupted or killed leaves nothing behind that hinders the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from small_project import Checkout, new_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    checkout = new_checkout(tmp_path)
    checkout.drop("a.csv", "x,1,female")
    slow = "(select count(*) from range(200000) as a(i), range(200000) as b(j) where (a.i + b.j) % 7 = 8)"
    model = checkout.path / "models" / "core" / "dim_customer.sql"
    model.write_text(model.read_text().rstrip() + f" where {slow} = 0")
    return checkout


def during_the_build(checkout: Checkout, number: int) -> subprocess.CompletedProcess:
    """Start a run whose build never ends, and send it a signal in the middle of that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run"],
        cwd=checkout.path, env=checkout.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert any(line.startswith("land ") for line in process.stdout)
    for _ in range(300):
        if (checkout.data / "warehouse.duckdb").exists():
            break
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_the_next_run_is_not_hindered(checkout: Checkout) -> None:
    interrupted = during_the_build(checkout, signal.SIGINT)
    assert interrupted.returncode == 1
    assert (
        interrupted.stderr == "perennial: interrupted; nothing was published, run again to go on.\n"
    )
    during_the_build(checkout, signal.SIGKILL)
    # dbt has ended with its run, so that the warehouse can be written to at once.
    time.sleep(1)
    duckdb.connect(str(checkout.data / "warehouse.duckdb")).close()
    model = checkout.path / "models" / "core" / "dim_customer.sql"
    model.write_text(model.read_text().split(" where ")[0])
    done = checkout.perennial("run")
    assert done.returncode == 0, done.stderr
