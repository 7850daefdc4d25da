"""The command line of perennial: one command a step, one for the whole pipeline, some that look.

Dagster and dbt take seconds to import, so everything that can refuse a request does so before them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn, TextIO

from orchestration.errors import UserError
from orchestration.runtime import preflight
from orchestration.runtime.dbt import ensure_manifest
from orchestration.runtime.garbage import collect_seldom
from orchestration.runtime.lock import run_lock
from orchestration.runtime.paths import PROJECT_DIR, DataPaths
from orchestration.runtime.progress import TerminalProgress
from orchestration.runtime.settings import (
    Settings,
    parse_day,
    parse_vars,
    pick_channels,
    read_settings,
)

INTERRUPTED = "DagsterExecutionInterruptedError"
PUBLISHED, NOT_PUBLISHED, WRONG_USE, TOO_MANY_REFUSED = 0, 1, 2, 3

EXPLAIN_EXAMPLES = """examples:
  perennial explain phone:13812345678 account@shopify:6500000000024
  perennial explain wx_openid@wxapp1:oABCdef email:token:4693a373
  perennial explain c_6655326d5c2a4e272db25219
  perennial explain email:lin@example.cn --reveal
  perennial explain --bridges --limit 50

An identifier is type:value or type@scope:value, with the value as files hold it; the scope may be
left out when the value is found in one scope only. type:token:<token> needs no key, and the
beginning of the token is enough. An account is account@source_system:source_record_id.

exit codes:
  0  explained
  1  a run holds the warehouse
  2  wrong use, or there is nothing to explain
"""

EXPORT_EXAMPLES = """examples:
  perennial export parquet
  PGHOST=db.example.cn PGDATABASE=bi PGUSER=etl perennial export postgres
  PERENNIAL_POSTGRES=postgresql://etl@db.example.cn/bi perennial export postgres --schema marts

parquet writes serving/parquet/<version>/<table>.parquet and points serving/parquet/current to it.
postgres fills a schema beside the one that is read and then swaps the two (extra `postgres`). The
password comes from PGPASSWORD, ~/.pgpass or PERENNIAL_POSTGRES and is never shown.

exit codes:
  0  exported; readers see the live version
  1  not exported, readers keep what they have: the server or the disk refused, another export runs
  2  wrong use, or nothing has been published
"""

EXIT_CODES = """exit codes:
  0  done (run: published)
  1  not published: a test or the audit failed, another run is at work, the disk is full
  2  wrong use
  3  done, but more files were refused than the setting max_refused_files
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; prints one line on stderr for a user's mistake."""
    options = make_parser().parse_args(arguments)
    try:
        return options.command(options)
    except UserError as error:
        _complain(str(error))
        return error.exit_code
    except Exception as error:
        log = DataPaths.from_environment().run_log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        _complain(f"something unforeseen happened ({type(error).__name__}); {log} has the details.")
        return NOT_PUBLISHED
    except KeyboardInterrupt:
        _complain("interrupted; nothing was published, run again to go on.")
        return NOT_PUBLISHED


def make_parser() -> Parser:
    """Every command with its options."""
    parser = Parser(
        prog="perennial",
        description="Raw channel files in; customers, stages, RFM and lifetime value out. "
        f"The data root is $PERENNIAL_DATA, by default {PROJECT_DIR / 'data'}.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command", title="commands")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str) -> Parser:
        sub = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(command=does)
        return sub

    demo = command("demo", demo_command, "write raw demo files for every channel into landing/")
    demo.add_argument(
        "--customers", type=int, default=5000, metavar="N", help="persons, default 5000"
    )
    demo.add_argument(
        "--seed", type=int, default=42, metavar="N", help="same seed, same files; default 42"
    )
    demo.add_argument(
        "--end",
        default="2026-06-30",
        metavar="DAY",
        help="last day of the data, default 2026-06-30",
    )
    demo.add_argument("--faults", action="store_true", help="add files that landing must refuse")

    run = command("run", run_command, "land, build, test, publish and draw the report")
    build = command("build", build_command, "build every model from what is landed and test it")
    land = command("land", land_command, "land the new files under landing/")
    command("publish", publish_command, "publish the last build if it passes the audit")
    rollback = command(
        "rollback", rollback_command, "make a version that was published before live again"
    )
    rollback.add_argument(
        "--to", metavar="VERSION", help="which one, or its beginning (default: the one before)"
    )
    rollback.add_argument("--list", action="store_true", help="show the versions that are kept")
    export = command(
        "export", export_command, "copy the live version into Parquet files or into PostgreSQL"
    )
    export.epilog = EXPORT_EXAMPLES
    export.add_argument("what", choices=["parquet", "postgres"], help="what to copy it into")
    export.add_argument(
        "--schema", metavar="NAME", help="postgres: the schema to replace, default perennial"
    )
    command("report", report_command, "draw the report from the published file")
    command("status", status_command, "show files, quarantine, last version, reconciliation")
    explain = command(
        "explain", explain_command, "say why two identifiers are one customer, weakest link first"
    )
    explain.epilog = EXPLAIN_EXAMPLES
    explain.add_argument(
        "asked", nargs="*", metavar="ID", help="two identifiers, or one, or a customer id"
    )
    explain.add_argument(
        "--bridges", action="store_true", help="the weakest spots of all customers instead"
    )
    explain.add_argument(
        "--reveal", action="store_true", help="show raw values from the vault; needs the key"
    )
    explain.add_argument(
        "--on",
        metavar="DAY",
        help="whose a value was at the end of this day (default: any time, the last first)",
    )
    explain.add_argument(
        "--limit", type=int, default=20, metavar="N", help="lines of a list, 0 for all; default 20"
    )
    explain.add_argument("--json", action="store_true", help="the same as JSON, for scripts")
    identity = command(
        "identity",
        identity_command,
        "try out what would happen to customers, or look for more links",
    )
    identity.add_argument(
        "--dry-run",
        action="store_true",
        help="show what changed rules, seeds, settings and new files would merge, split and reject",
    )
    identity.add_argument(
        "--probabilistic",
        action="store_true",
        help="propose links between customers that share no identifier (extra `probabilistic`)",
    )
    identity.add_argument(
        "--train", action="store_true", help="with --probabilistic: learn the model anew first"
    )
    identity.add_argument("--json", action="store_true", help="print the result as JSON")
    bench = command(
        "bench", bench_command, "measure this machine and this version: ratios within one run"
    )
    bench.add_argument("what", choices=["identity", "lifecycle", "clv"], help="what to measure")
    bench.add_argument(
        "--persons",
        type=int,
        metavar="N",
        help="identity: size of the generated graph, default 1000000",
    )
    bench.add_argument(
        "--customers",
        type=int,
        metavar="N",
        help="lifecycle: number of generated customers, default 100000; clv: default 1000000",
    )
    bench.add_argument("--json", metavar="FILE", help="write the figures there too")

    run.add_argument(
        "--demo",
        action="store_true",
        help="write the demo's raw files first if nothing was landed yet",
    )
    for sub in (run, build):
        sub.add_argument(
            "--as-of",
            metavar="DAY",
            help="build as of this day, such as 2026-06-30 (default: the last complete day landed)",
        )
    for sub in (run, build, land, identity):
        sub.add_argument(
            "--vars",
            metavar="YAML",
            help="settings to override, as in dbt: '{reporting_currency: USD}'",
        )
    for sub in (run, land):
        sub.add_argument(
            "--channels",
            metavar="A,B",
            help="land these channels only; what was landed before stays in the marts",
        )
    return parser


def demo_command(options: argparse.Namespace) -> int:
    """Write the demo's raw files and its planted truth."""
    paths = DataPaths.from_environment()
    preflight.check_data_root(paths)
    end = parse_day(options.end, "--end")
    from orchestration.demo import generate

    with TerminalProgress(sys.stdout).step("demo") as step:
        summary = generate(
            paths.root,
            options.customers,
            options.seed,
            end,
            options.faults,
            lambda line: step.tick(f"demo      {line}"),
        )
        step.say(
            f"{summary.customers:,} customers, {summary.records:,} records in {summary.files} "
            f"files ({preflight.megabytes(summary.bytes)}), {summary.first_day} to "
            f"{summary.last_day}, seed {summary.seed}: {paths.landing}"
        )
    return PUBLISHED


def run_command(options: argparse.Namespace) -> int:
    """The whole pipeline, as the Dagster job `refresh`."""
    started = time.monotonic()
    collect_seldom()
    settings, channels = _request(options)
    paths, run_id = _begin()
    with run_lock(paths.lock, run_id):
        if options.demo and preflight.has_nothing(paths):
            _write_demo()
        preflight.check_landing(paths)
        _check_key(paths)
        preflight.check_disk(paths)
        preflight.check_warehouse(paths)
        figures = _run_job(paths, run_id, settings, channels)
    print(f"Published in {time.monotonic() - started:.0f} s: {paths.published} and {paths.report}")
    return _judge_refused(figures["refused"], settings)


def build_command(options: argparse.Namespace) -> int:
    """Every model, test and prediction: the Dagster job `refresh` without its ends."""
    settings, _ = _request(options)
    paths, run_id = _begin()
    with run_lock(paths.lock, run_id):
        preflight.check_landed(paths)
        preflight.check_disk(paths)
        preflight.check_warehouse(paths)
        _run_job(paths, run_id, settings, [], leave_out=("landing", "publish", "report"))
    return PUBLISHED


def land_command(options: argparse.Namespace) -> int:
    """Landing alone."""
    settings, channels = _request(options)
    paths, run_id = _begin()
    with run_lock(paths.lock, run_id):
        preflight.check_landing(paths)
        _check_key(paths)
        preflight.check_disk(paths)
        from orchestration import steps

        with TerminalProgress(sys.stdout).step("land") as step:
            figures = steps.land_files(paths, settings, channels, run_id, step, lambda _: None)
    return _judge_refused(figures["refused"], settings)


def publish_command(_: argparse.Namespace) -> int:
    """Audit and publish what the last build left."""
    paths, run_id = _begin()
    with run_lock(paths.lock, run_id):
        from orchestration import steps

        with TerminalProgress(sys.stdout).step("publish") as step:
            steps.publish_marts(paths, run_id, step)
    return PUBLISHED


def rollback_command(options: argparse.Namespace) -> int:
    """Put a kept version back in front of the readers, with its report."""
    paths, run_id = _begin()
    if options.list:
        from orchestration.serving import versions

        current = versions.live(paths)
        for name in versions.kept(paths):
            about = versions.describe(paths.versions / f"{name}.duckdb")
            mark = "  (live)" if name == current else ""
            print(f"{name}  as of {about.as_of}  run {about.run_id}{mark}")
        return PUBLISHED
    with run_lock(paths.lock, run_id):
        from orchestration import steps

        progress = TerminalProgress(sys.stdout)
        with progress.step("rollback") as step:
            steps.roll_back(paths, options.to, step)
        with progress.step("report") as step:
            steps.report_page(paths, step)
    return PUBLISHED


def export_command(options: argparse.Namespace) -> int:
    """Copy the live version for tools that cannot read DuckDB."""
    if options.what == "parquet" and options.schema is not None:
        raise UserError("--schema is not for `perennial export parquet`; leave it out.")
    if options.schema == "":
        raise UserError("--schema needs a name, such as perennial.")
    paths, run_id = _begin()
    with (
        run_lock(paths.export_lock, run_id),
        TerminalProgress(sys.stdout).step("export") as step,
    ):

        def tick(text: str) -> None:
            step.tick(f"export    {text}")

        if options.what == "parquet":
            from orchestration.serving.export_parquet import export_parquet

            exported, place = export_parquet(paths, tick), str(paths.parquet / "current")
        else:
            from orchestration.serving.export_postgres import SCHEMA, export_postgres

            schema = options.schema or SCHEMA
            dsn = os.environ.get("PERENNIAL_POSTGRES", "")
            exported, place = export_postgres(paths, dsn, tick, schema), f"schema {schema}"
        size = f"{exported.tables} tables" + (
            f", {exported.rows:,} rows" if exported.is_new else ", there before"
        )
        step.say(f"version {exported.version} as of {exported.as_of}: {size}: {place}")
    return PUBLISHED


def report_command(_: argparse.Namespace) -> int:
    """Draw the report anew."""
    paths, _ = _begin()
    from orchestration import steps

    with TerminalProgress(sys.stdout).step("report") as step:
        steps.report_page(paths, step)
    return PUBLISHED


def status_command(_: argparse.Namespace) -> int:
    """One screen about the data root."""
    from orchestration.serving.status import status_screen

    print(status_screen(DataPaths.from_environment()))
    return PUBLISHED


def explain_command(options: argparse.Namespace) -> int:
    """Explain two identifiers, or one customer, or list the weakest spots of all."""
    from orchestration.identity.explain import explain, weakest_spots
    from orchestration.identity.screen import write_answer

    paths = DataPaths.from_environment()
    most = options.limit or None
    if options.limit < 0:
        raise UserError(f"--limit must be 0 (all) or more, not {options.limit}.")
    if options.bridges and not options.asked:
        answer = weakest_spots(paths, most, options.reveal)
    elif options.bridges or not 1 <= len(options.asked) <= 2:
        raise UserError(
            "explain takes two identifiers, or one, or a customer id, or --bridges alone; "
            "see `perennial explain --help`."
        )
    else:
        on = parse_day(options.on, "--on") if options.on else None
        answer = explain(paths, options.asked, options.reveal, on)
    print(json.dumps(answer, ensure_ascii=False) if options.json else write_answer(answer, most))
    return PUBLISHED


def identity_command(options: argparse.Namespace) -> int:
    """What the rules as they stand would do, or what a second pass would add to them."""
    if options.dry_run == options.probabilistic or (options.train and options.dry_run):
        raise UserError(
            "`perennial identity` needs to be told what to do: --dry-run, or --probabilistic with "
            "or without --train."
        )
    settings, _ = _request(options)
    # Whoever reads JSON reads standard output.
    progress = TerminalProgress(sys.stderr if options.json else sys.stdout)
    paths, run_id = DataPaths.from_environment(), str(uuid.uuid4())
    if options.probabilistic:
        from orchestration.identity.probabilistic import find_probable_links

        found = find_probable_links(paths, settings, options.train, run_id, progress)
        if options.json:
            print(json.dumps(found.as_json(), indent=1))
        elif not settings["identity_probabilistic"]:
            print("Nothing acts on it while the setting identity_probabilistic is false.")
        return PUBLISHED
    from orchestration.identity.changes import screen
    from orchestration.identity.dry_run import dry_run

    changes = dry_run(paths, settings, run_id, progress)
    if options.json:
        print(json.dumps(changes.as_json(), indent=1))
    else:
        print("\n" + screen(changes, settings["reporting_currency"]))
    return PUBLISHED


def bench_command(options: argparse.Namespace) -> int:
    """A benchmark; it fails when answers differ, never because it was slow."""
    file = Path(options.json) if options.json else None
    if options.what == "identity":
        from orchestration.bench.identity import bench_identity

        _only_for(options, "customers")
        agrees = bench_identity(_given(options.persons, 1_000_000), file, sys.stdout)
    elif options.what == "clv":
        from orchestration.bench.clv import bench_clv

        _only_for(options, "persons")
        agrees = bench_clv(_given(options.customers, 1_000_000), file, sys.stdout)
    else:
        from orchestration.bench.lifecycle import bench_lifecycle

        _only_for(options, "persons")
        agrees = bench_lifecycle(_given(options.customers, 100_000), file, sys.stdout)
    return PUBLISHED if agrees else NOT_PUBLISHED


def _given(number: int | None, default: int) -> int:
    return default if number is None else number


def _only_for(options: argparse.Namespace, other: str) -> None:
    if getattr(options, other) is not None:
        raise UserError(f"--{other} is not for `perennial bench {options.what}`; leave it out.")


def _request(options: argparse.Namespace) -> tuple[Settings, list[str]]:
    """Settings and channels that were asked for; raises UserError before anything has begun."""
    settings = read_settings(getattr(options, "as_of", None), parse_vars(options.vars))
    wanted = [name.strip() for name in (getattr(options, "channels", None) or "").split(",")]
    channels = [name for name in wanted if name]
    pick_channels(settings, channels)
    return settings, channels


def _begin() -> tuple[DataPaths, str]:
    paths = DataPaths.from_environment()
    preflight.check_data_root(paths)
    return paths, str(uuid.uuid4())


def _check_key(paths: DataPaths) -> None:
    from orchestration.landing.keys import load_key

    load_key(paths.root)


def _write_demo() -> None:
    """`perennial demo` in a process of its own, while this one imports Dagster."""
    with ThreadPoolExecutor(1) as meanwhile:
        program = [sys.executable, "-m", "orchestration.cli", "demo"]
        demo = meanwhile.submit(subprocess.run, program, check=False)
        import orchestration.pipeline  # noqa: F401
    if demo.result().returncode:
        raise UserError("The demo's files could not be written, so there is nothing to land.")


def _run_job(
    paths: DataPaths,
    run_id: str,
    settings: Settings,
    channels: list[str],
    leave_out: Collection[str] = (),
) -> dict[str, int]:
    """Execute the job `refresh` in this process, on the instance that `dagster dev` opens.

    `leave_out` names ops that are not executed. Returns the figures of landing. Raises what ended
    a step, or UnforeseenError.
    """
    with _only_progress(paths) as terminal:
        progress = TerminalProgress(terminal)
        with progress.step("prepare") as step, ThreadPoolExecutor(1) as meanwhile:
            # dbt parses in a process of its own while this one imports Dagster.
            manifest_file = meanwhile.submit(ensure_manifest, paths)
            from orchestration.pipeline import build_definitions
            from orchestration.runtime.instance import dagster_instance

            defs = build_definitions(manifest_file.result(), progress)
            job = defs.resolve_job_def("refresh")
            step.say(f"run {run_id}")
        asked = {"as_of": None, "channels": channels, "vars": dict(settings.given)}
        keys = [
            key
            for assets in defs.assets
            if assets.node_def.name not in leave_out
            for key in assets.keys
        ]
        with dagster_instance() as instance:
            result = job.execute_in_process(
                run_config={
                    "resources": {"refresh": {"config": asked}},
                    "loggers": {"console": {"config": {"log_level": "INFO"}}},
                },
                instance=instance,
                asset_selection=keys if leave_out else None,
                run_id=run_id,
                raise_on_error=False,
            )
    if result.success:
        if "landing" in leave_out:
            return {}
        (landed,) = result.asset_materializations_for_node("landing")
        return {"refused": landed.metadata["refused"].value}
    if isinstance(progress.error, UserError):
        raise progress.error
    failures = [event for event in result.all_events if event.is_step_failure]
    if any(event.step_failure_data.error.cls_name == INTERRUPTED for event in failures):
        raise KeyboardInterrupt
    raise UnforeseenError(
        f"the run failed ({type(progress.error).__name__}) and nothing was published; "
        f"{paths.run_log} has the details."
    )


class UnforeseenError(UserError):
    """A defect of perennial or of something below it; the log has the traceback."""

    exit_code = NOT_PUBLISHED


@contextlib.contextmanager
def _only_progress(paths: DataPaths) -> Iterator[TextIO]:
    """Yield the terminal; whatever else is printed meanwhile goes into the run's log."""
    paths.run_log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with paths.run_log.open("w", encoding="utf-8") as log, os.fdopen(os.dup(1), "w") as terminal:
        try:
            for standard in (1, 2):
                os.dup2(log.fileno(), standard)
            yield terminal
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for standard, was in zip((1, 2), kept, strict=True):
                os.dup2(was, standard)
                os.close(was)


def _judge_refused(refused: int, settings: Settings) -> int:
    if refused <= int(settings["max_refused_files"]):
        return PUBLISHED
    _complain(
        f"{refused} files were refused, more than max_refused_files "
        f"{settings['max_refused_files']}; `perennial status` says why."
    )
    return TOO_MANY_REFUSED


def _complain(sentence: str) -> None:
    print(f"perennial: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
