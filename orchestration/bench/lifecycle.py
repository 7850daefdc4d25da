"""`perennial bench lifecycle`: stages as intervals beside a row for each customer, model and day.

Both sides begin at the same generated facts and end with one stage for each customer, model and
day. The intervals are the project's own models, run by dbt. The spine is what one would write
without them: every customer on every day, the windows counted there, the very same compiled CASE
evaluated on each row, and a row for each model. What else the rules read (orders, scores, friends,
answers) the spine takes from the project's models as they stand, and those are charged to the
intervals alone; so are the adaptive stages, the previous stage and the cycle, which the spine does
without.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

import duckdb
import sqlglot
from sqlglot import exp

from orchestration.bench import lifecycle_facts
from orchestration.bench.child import THREADS, measure
from orchestration.bench.figures import Figure, check_request, show
from orchestration.runtime.dbt import EXECUTABLE, FLAGS, environment
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.progress import TerminalProgress

FEWEST, MOST = 1_000, 1_000_000
# So many customers of the spine at a time: two years of them fit in memory.
CHUNK = 10_000
LAST_MODEL = "customer_lifecycle_intervals"
SEEDS = (
    *("lifecycle_rule", "lifecycle_stage", "lifecycle_sub_stage"),
    *("business_profile", "business_unit"),
)
_HERE = "orchestration.bench.lifecycle"


def bench_lifecycle(customers: int, json_file: Path | None, out: TextIO) -> bool:
    """Run the benchmark, print its table and write its JSON; False if a single row differs.

    Raises UserError for a number of customers or a file that cannot be.
    """
    check_request("--customers", customers, FEWEST, MOST, json_file)
    progress = TerminalProgress(out)
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        with progress.step("facts") as step:
            facts = measure(_HERE, "write_facts", customers=customers, root_folder=folder).answer
            step.say(
                f"{customers:,} customers over two years, {facts['fct_customer_day']:,} active "
                f"days, {facts['fct_order']:,} orders"
            )
        with progress.step("intervals") as step:
            models = measure(_HERE, "run_models", root_folder=folder).answer
            step.say(f"{models['seconds']:.1f} s for {models['intervals']:,} intervals")
        with progress.step("spine") as step:
            spine = measure(_HERE, "run_spine", customers=customers, root_folder=folder).answer
            step.say(f"{spine['seconds']:.1f} s for {spine['days']:,} customer-days")
        # Whatever else the machine does, it does not favour the intervals: their slower run counts.
        with progress.step("intervals") as step:
            again = measure(_HERE, "run_models", root_folder=folder).answer
            step.say(f"{again['seconds']:.1f} s once more")
        models["seconds"] = max(models["seconds"], again["seconds"])
    figures = _figures(models, spine)
    show(figures, (), json_file, out)
    return spine["differing"] == 0


def _figures(models: dict[str, Any], spine: dict[str, Any]) -> list[Figure]:
    speedup = spine["seconds"] / models["seconds"]
    ratio = spine["rows"] / models["intervals"]
    return [
        Figure("daily_spine_speedup", round(speedup, 2), "times the time of the intervals", ">= 8"),
        Figure("differing_rows", spine["differing"], "customer-days and models", "= 0"),
        Figure("compared_rows", spine["rows"], "customer-days and models"),
        Figure("row_ratio", round(ratio, 1), "daily rows for one interval"),
        Figure("intervals_seconds", round(models["seconds"], 2), "s, from core to the intervals"),
        Figure("spine_seconds", round(spine["seconds"], 2), "s"),
    ]


def write_facts(customers: int, root_folder: Path) -> dict[str, Any]:
    """Make a scratch data root with the generated core tables in its warehouse."""
    paths = DataPaths(root_folder)
    paths.ledger.parent.mkdir(parents=True)
    with duckdb.connect(str(paths.warehouse)) as con:
        con.execute(f"set threads = {THREADS}")
        facts = lifecycle_facts.write_core(con, customers)
        # dbt refuses to start where nothing was ever landed.
        con.execute(f"copy (select 1 as n) to '{paths.ledger}' (format parquet)")
    return facts


def run_models(root_folder: Path) -> dict[str, Any]:
    """Run the models from core to the intervals with dbt.

    `seconds` are those from the start of the first model to the end of the last one, compiling the
    rules included, dbt's own start and parsing left out.
    """
    paths = DataPaths(root_folder)
    # A run that builds the seeds too would resolve their rules before its first model.
    _dbt(paths, "seed", "--select", *SEEDS)
    _dbt(paths, "run", "--select", f"+{LAST_MODEL},path:models/marts")
    results = json.loads((paths.target / "run_results.json").read_text(encoding="utf-8"))
    moments = [
        timing[moment]
        for result in results["results"]
        if result["unique_id"].startswith("model.")
        for timing in result["timing"]
        for moment in ("started_at", "completed_at")
    ]
    with duckdb.connect(str(paths.warehouse), read_only=True) as con:
        seconds, intervals = con.execute(
            f"select date_diff('microsecond', ?::timestamptz, ?::timestamptz) / 1e6,"
            f" (select count(*) from marts.{LAST_MODEL})",
            [min(moments), max(moments)],
        ).fetchone()
    return {"seconds": seconds, "intervals": intervals}


def _dbt(paths: DataPaths, *arguments: str) -> None:
    done = subprocess.run(
        [str(EXECUTABLE), *FLAGS, *arguments],
        cwd=PROJECT_DIR,
        env=environment(paths)
        | {
            "DBT_TARGET_PATH": str(paths.target),
            "DBT_LOG_PATH": str(paths.root / "logs"),
            "PERENNIAL_THREADS": str(THREADS),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"dbt ended with {done.returncode}: {done.stdout[-1500:]}")


def run_spine(customers: int, root_folder: Path) -> dict[str, Any]:
    """Evaluate every customer on every day and compare the answers with the intervals.

    `rows` are customer-days of all models; `differing` those on which the clause is another one, or
    on which there is not exactly one interval. Only the evaluation is timed.
    """
    paths = DataPaths(root_folder)
    spine_sql, models = _spine_sql(paths)
    found = {"seconds": 0.0, "days": 0, "rows": 0, "differing": 0}
    with duckdb.connect(str(root_folder / "spine.duckdb")) as con:
        con.execute(f"set threads = {THREADS}; set preserve_insertion_order = false")
        con.execute(f"attach '{paths.warehouse}' as warehouse (read_only)")
        for first in range(0, customers, CHUNK):
            began = time.perf_counter()
            con.execute(f"create or replace table spine as {spine_sql}", [first, first + CHUNK])
            found["seconds"] += time.perf_counter() - began
            rows = con.execute("select count(*) from spine").fetchone()[0]
            found["rows"] += rows
            found["days"] += rows // len(models)
            found["differing"] += sum(_differing(con, model) for model in models)
    return found


def _spine_sql(paths: DataPaths) -> tuple[str, list[str]]:
    """The daily spine of the customers numbered above ? to ?, and the models that it evaluates.

    Features and CASEs are those of the compiled int_lifecycle__breakpoints, word for word.
    """
    manifest = json.loads((paths.target / "manifest.json").read_text(encoding="utf-8"))
    compiled = manifest["nodes"]["model.perennial.int_lifecycle__breakpoints"]["compiled_code"]
    ctes = {cte.alias: cte.this for cte in sqlglot.parse_one(compiled, read="duckdb").ctes}
    clauses = [
        column
        for column in ctes["final"].selects
        if column.alias.endswith("_clause") and not column.alias.endswith("_adaptive_clause")
    ]
    features = [column for column in ctes["features"].selects if isinstance(column, exp.Alias)]
    kept = [column for column in features if column.alias != "day_on"]
    models = [column.alias.removesuffix("_clause") for column in clauses]
    columns = ",\n".join(column.sql(dialect="duckdb") for column in kept)
    stages = ",\n".join(column.sql(dialect="duckdb") for column in clauses)
    rows = "\nunion all\n".join(
        f"select customer_id, '{model}' as model_code, day_on, business_type, {model}_clause"
        f" as clause_id, is_lost, is_dormant from overlaid"
        for model in models
    )
    return _SPINE.format(features=columns, stages=stages, rows=rows), models


_CARRIED = {
    "order_spells": (
        "day_on",
        ("orders_n", "last_order_on", "service_cycle_days", "expected_gap_days"),
    ),
    "value_scores": ("scored_on", ("value_pct",)),
    "subscription_spells": (
        "day_on",
        (
            "subs_n", "sub_ended_on", "sub_period_end_on", "sub_paid_from_on", "sub_paid_days",
            "is_paying",
        ),
    ),
    "advocacy_spells": ("day_on", ("referrals_ok_365", "ugc_365", "last_nps")),
    "business_types": ("day_on", ("business_type",)),
}  # fmt: skip


def _spells(name: str) -> str:
    """CTE of a source's rows with the day on which each one is followed by the next."""
    day, columns = _CARRIED[name]
    return f"""
{name} as (
    select customer_number, {day} as from_on, {", ".join(columns)},
        coalesce(
            lead({day}) over (partition by customer_number order by {day}), date '9999-12-31'
        ) as to_on
    from warehouse.marts.int_lifecycle__{name}
    where customer_number in (select customer_number from customers)
),"""


_SPINE = f"""
with
customers as (
    select * from warehouse.marts.int_lifecycle__customers
    where customer_number > ? and customer_number <= ?
),
{"".join(_spells(name) for name in _CARRIED)}
active_days as (
    select customers.customer_number, days.day_on
    from warehouse.core.fct_customer_day as days
    inner join customers on days.customer_id = customers.customer_id
    where days.is_active
),
days as (
    select customers.*, dim_date.date_on as seen_on
    from customers
    cross join warehouse.core.int_core__as_of as as_of
    inner join warehouse.core.dim_date as dim_date
        on dim_date.date_on between customers.first_touch_on and as_of.as_of
),
flagged as (
    select days.*, active_days.day_on as active_on, active_days.day_on is not null as is_active
    from days
    left join active_days
        on days.customer_number = active_days.customer_number and days.seen_on = active_days.day_on
),
counted as (
    select *,
        coalesce(max(active_on) over so_far, first_touch_on) as last_active_on,
        sum(is_active::integer) over so_far as active_days_ever,
        sum(is_active::integer) over (in_order rows between 27 preceding and current row)
            as active_days_28,
        coalesce(
            sum(is_active::integer) over (in_order rows between 55 preceding and 28 preceding), 0
        ) as active_days_prev28
    from flagged
    window
        in_order as (partition by customer_number order by seen_on),
        so_far as (
            partition by customer_number order by seen_on
            rows between unbounded preceding and current row
        )
),
known as (
    select
        counted.customer_id,
        counted.seen_on,
        coalesce(business_types.business_type, counted.business_type) as business_type,
        coalesce(counted.registered_on <= counted.seen_on, false) as is_registered,
        counted.last_active_on,
        counted.active_days_ever,
        counted.active_days_28,
        counted.active_days_prev28,
        coalesce(order_spells.orders_n, 0) as orders_n,
        order_spells.last_order_on,
        order_spells.service_cycle_days,
        order_spells.expected_gap_days,
        value_scores.value_pct,
        coalesce(subscription_spells.subs_n, 0) as subs_n,
        subscription_spells.sub_ended_on,
        subscription_spells.sub_period_end_on,
        subscription_spells.sub_paid_from_on,
        coalesce(subscription_spells.sub_paid_days, 0) as sub_paid_days,
        coalesce(subscription_spells.is_paying, false) as is_paying,
        coalesce(advocacy_spells.referrals_ok_365, 0) as referrals_ok_365,
        coalesce(advocacy_spells.ugc_365, 0) as ugc_365,
        advocacy_spells.last_nps
    from counted
    {
    "".join(
        f'''left join {name}
        on counted.customer_number = {name}.customer_number
        and counted.seen_on >= {name}.from_on and counted.seen_on < {name}.to_on
    '''
        for name in _CARRIED
    )
}
),
features as (
    select customer_id, seen_on as day_on, business_type, service_cycle_days, expected_gap_days,
    {{features}}
    from known
),
staged as (select customer_id, day_on, business_type, {{stages}} from features),
overlaid as (
    select *, starts_with(maturity5_clause, 'lost.') as is_lost,
        starts_with(maturity5_clause, 'dormant.') as is_dormant
    from staged
)
{{rows}}
"""


def _differing(con: duckdb.DuckDBPyConnection, model: str) -> int:
    """Days of the spine's customers on which it and the intervals do not say the same exactly once.

    Every interval is laid out into its days. A day that is missing from one side, is there twice or
    says something else has no partner.
    """
    con.execute(
        f"""
        create or replace temp table spoken as
        select customer_id, day_on, clause_id, is_lost, is_dormant
        from spine where model_code = '{model}';
        create or replace temp table laid_out as
        select customer_id,
            cast(valid_from + cast(unnest(range(
                date_diff('day', valid_from, coalesce(valid_to, as_of + 1))
            )) as integer) as date) as day_on,
            clause_id, is_lost, is_dormant
        from warehouse.marts.{LAST_MODEL}, warehouse.core.int_core__as_of
        where model_code = '{model}' and customer_id in (select customer_id from spoken)
        """
    )
    spoken, laid_out, agreeing = con.execute(
        """
        select (select count(*) from spoken), (select count(*) from laid_out),
            (select count(*) from spoken semi join laid_out
                using (customer_id, day_on, clause_id, is_lost, is_dormant))
        """
    ).fetchone()
    return spoken - agreeing + max(laid_out - spoken, 0)
