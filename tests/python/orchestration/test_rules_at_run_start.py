"""Rows of rules that cannot work stop a run with one sentence, before it has built anything."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import duckdb
import pytest
from small_project import PROJECT, Checkout, new_checkout

SEEDS = (
    *("lifecycle_rule", "lifecycle_stage", "lifecycle_sub_stage", "business_profile"),
    "business_unit",
    *("alert_rule", "tag", "tag_rule"),
)
# Seed, what to replace in it (the whole of an empty seed) and by what, and the sentence.
FAULTS = {
    "unknown feature": (
        "lifecycle_rule",
        "*,maturity5,mature,,5,3,1,orders_n,",
        "*,maturity5,mature,,5,3,1,orders,",
        "Seed lifecycle_rule, row *, maturity5, mature, clause 1 tests the feature 'orders', which",
    ),
    "no catch-all": (
        "lifecycle_rule",
        "*,classic5,aware,,1,5,1,otherwise,,,,1\n",
        "",
        "Seed lifecycle_rule, model classic5, business type *: the last rule in priority, and no",
    ),
    "two equal priorities": (
        "lifecycle_rule",
        "*,maturity5,mature,,5,3,1,",
        "*,maturity5,mature,,5,4,1,",
        "Seed lifecycle_rule, row *, maturity5, growth, clause 1: priority 4 is also the priority",
    ),
    "unknown business type of a rule": (
        "lifecycle_rule",
        "*,maturity5,mature,,5,3,1,",
        "pets,maturity5,mature,,5,3,1,",
        "Seed lifecycle_rule, row pets, maturity5, mature: the business type has no rows in the",
    ),
    "unknown business type of a unit": (
        "business_unit",
        "",
        "\nnorth,pets",
        "Seed business_unit, row north: the business type 'pets' has no rows in the seed",
    ),
    "unknown parameter of a rule": (
        "lifecycle_rule",
        ">=,mature_orders,",
        ">=,ripe_orders,",
        "uses the parameter 'ripe_orders', but the seed business_profile gives it no value",
    ),
    "a number that no rule reads": (
        "business_profile",
        "food,*,churn_days,",
        "food,*,chrun_days,",
        "Seed business_profile, row food, *, chrun_days: no rule reads this parameter; use one of:",
    ),
    "a number of an unknown model": (
        "business_profile",
        "food,*,churn_days,",
        "food,maturity,churn_days,",
        "Seed business_profile, row food, maturity, churn_days: the seed lifecycle_rule has no such",
    ),
    "an alert about nothing": (
        "alert_rule",
        "inactive_days,*,last_active_days,",
        "inactive_days,*,last_login_days,",
        "Seed alert_rule, row inactive_days, * looks at 'last_login_days', which does not exist;",
    ),
    "a tag that nobody could have": (
        "tag_rule",
        "*,vip_candidate,true,1,1,value_pct,",
        "*,vip_candidate,true,1,1,value,",
        "Seed tag_rule, row *, vip_candidate, true, clause 1 tests the feature 'value', which does",
    ),
}  # fmt: skip

# In one process: one for each fault would spend its time on importing dbt.
BUILD_EACH = """
import json, sys
from pathlib import Path
from dbt.cli.main import dbtRunner

options = ["--quiet", "--no-use-colors"]
said = {}
for name, (seed, old, new, _) in json.load(sys.stdin).items():
    file = Path("seeds") / f"{seed}.csv"
    shipped = file.read_text()
    assert old in shipped, name
    file.write_text(shipped.replace(old, new) if old else shipped.rstrip("\\n") + new)
    done = dbtRunner().invoke([*options, "build"])
    said[name] = [done.success, str(done.exception or [r.message for r in done.result.results])]
    file.write_text(shipped)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The small project with all macros and the seeds of rules, landed and never built."""
    made = new_checkout(tmp_path_factory.mktemp("rules"))
    shutil.copytree(PROJECT / "macros", made.path / "macros", dirs_exist_ok=True)
    for name in SEEDS:
        shutil.copy(PROJECT / "seeds" / f"{name}.csv", made.path / "seeds")
    made.drop("a.csv", "x,1,female")
    assert made.perennial("land").returncode == 0
    return made


def _built(checkout: Checkout) -> list[tuple]:
    warehouse = checkout.data / "warehouse.duckdb"
    if not warehouse.is_file():
        return []
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute("select table_name from information_schema.tables").fetchall()


def test_nothing_is_built_from_a_row_that_cannot_work(checkout: Checkout) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILD_EACH],
        cwd=checkout.path, env=checkout.environment(), capture_output=True, text=True,
        input=json.dumps(FAULTS), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    for name, (*_, sentence) in FAULTS.items():
        is_done, words = said[name]
        assert not is_done, name
        assert sentence in words, name
    assert _built(checkout) == []


def test_a_run_ends_with_the_sentence_and_goes_on_once_it_is_mended(checkout: Checkout) -> None:
    rules = checkout.path / "seeds" / "lifecycle_rule.csv"
    shipped = rules.read_text()
    _, old, new, sentence = FAULTS["unknown feature"]
    rules.write_text(shipped.replace(old, new))
    stopped = checkout.perennial("run")
    rules.write_text(shipped)
    assert stopped.returncode == 2
    assert stopped.stderr.startswith(f"perennial: {sentence}")
    assert stopped.stderr.count("\n") == 1
    assert _built(checkout) == []
    mended = checkout.perennial("build")
    assert mended.returncode == 0, mended.stderr
