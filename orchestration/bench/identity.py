"""`perennial bench identity`: what stitching costs and how right it is, beside others."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from orchestration.bench.child import Measured, measure
from orchestration.bench.figures import Figure, check_request, show
from orchestration.runtime.progress import TerminalProgress

FEWEST, MOST = 1_000, 10_000_000
REPEATS = 3
PLANTED_SHARE = 0.3
CONTESTANTS = {
    "limit": "one scan both ways and one aggregation",
    "project": "perennial, full solve",
    "scipy": "scipy's connected components",
    "splink": "Splink's clustering",
    "fixed_rounds": "five fixed rounds of SQL",
}
# They have no bound to keep and take longest, so once is enough.
_ONCE = ("splink", "fixed_rounds")
_SOLVERS = "orchestration.bench.solvers"


@dataclass
class Contest:
    """Every run of every contestant; `remarks` are sentences for the reader."""

    runs: dict[str, list[Measured]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def seconds(self, name: str, key: str = "seconds") -> float:
        """The fastest run: whatever else the machine did can only have slowed the others."""
        return min(run.answer[key] for run in self.runs[name])

    def processor(self, name: str) -> float:
        """The same, of processor time: it moves less when others use the machine."""
        return self.seconds(name, "processor_seconds")

    def peak(self, name: str) -> float:
        """Peak memory of the least fortunate run, in bytes."""
        return max(run.peak_bytes for run in self.runs[name])

    def partition(self, name: str) -> tuple[Any, ...]:
        """What two runs share only if they labelled every node alike."""
        found = {
            (run.answer["nodes"], run.answer["clusters"], run.answer["checksum"])
            for run in self.runs[name]
        }
        return found.pop() if len(found) == 1 else ("differs from run to run",)


def bench_identity(persons: int, json_file: Path | None, out: TextIO) -> bool:
    """Run the benchmark, print its table and write its JSON; False if partitions disagree.

    `persons` is the size of the graph that is timed; 0.3 times as many are planted with mistakes.
    Raises UserError for a number of persons or a file that cannot be.
    """
    check_request("--persons", persons, FEWEST, MOST, json_file)
    progress = TerminalProgress(out)
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        contest, rows = _contest(persons, Path(folder), progress)
        agreeing = _disagreements(contest)
        chains = _chains(persons, progress)
        planted = _planted(round(persons * PLANTED_SHARE), Path(folder) / "planted", progress)
    figures = [*_speed_figures(contest, rows), *chains, *planted]
    show(figures, (*contest.remarks, *agreeing), json_file, out)
    return not agreeing


def _contest(
    persons: int, folder: Path, progress: TerminalProgress
) -> tuple[Contest, dict[str, int]]:
    contest = Contest()
    with progress.step("graph") as step:
        rows = measure(
            "orchestration.bench.graph", "write_graph", persons=persons, folder=str(folder)
        ).answer
        step.say(
            f"{persons:,} persons, {rows['nodes']:,} identifiers, {rows['rows']:,} edge rows, "
            f"{rows['distinct']:,} distinct"
        )
    # Interleaved, so that a busy minute of the machine does not fall on one contestant alone.
    for number in range(REPEATS):
        for name, text in CONTESTANTS.items():
            if number and name in _ONCE:
                continue
            with progress.step(name.partition("_")[0]) as step:
                run = measure(_SOLVERS, name, edges_file=str(folder / "edges.parquet"))
                if not run.answer:
                    contest.remarks.append(
                        "Splink took no part, since it is not installed: it comes with the extra "
                        "`probabilistic`."
                    )
                    step.say("not installed, left out")
                    continue
                contest.runs.setdefault(name, []).append(run)
                step.say(f"{text}: {_said(run)}")
        with progress.step("daily") as step:
            run = measure(
                _SOLVERS,
                "incremental",
                old_file=str(folder / "old_edges.parquet"),
                new_file=str(folder / "new_edges.parquet"),
            )
            contest.runs.setdefault("incremental", []).append(run)
            step.say(f"perennial, {rows['new_rows']:,} new edge rows: {_said(run)}")
    return contest, rows


def _said(run: Measured) -> str:
    return f"{run.answer['seconds']:.3f} s, {run.peak_bytes / 2**20:,.0f} MB"


def _disagreements(contest: Contest) -> list[str]:
    """Sentences about contestants whose partition is not scipy's though it should be; a remark
    says how far the fixed rounds are off."""
    truth = contest.partition("scipy")
    wrong = [
        f"The partition of {name} is not that of scipy: {contest.partition(name)} and {truth}."
        for name in ("project", "incremental", "splink")
        if name in contest.runs and contest.partition(name) != truth
    ]
    extra = contest.partition("fixed_rounds")[1] - truth[1]
    contest.remarks.append(
        f"Five fixed rounds leave {extra:,} clusters too many, of {truth[1]:,}."
        if extra
        else "Five fixed rounds were enough for this graph."
    )
    if not wrong:
        others = ", ".join(
            name for name in ("incremental", "scipy", "splink") if name in contest.runs
        )
        contest.remarks.append(
            f"{truth[1]:,} clusters of {truth[0]:,} identifiers, each under its smallest key: the "
            f"full solve, {others} agree about every one."
        )
    return wrong


def _speed_figures(contest: Contest, rows: dict[str, int]) -> list[Figure]:
    limit, full, scipy = (contest.seconds(name) for name in ("limit", "project", "scipy"))
    step = contest.seconds("incremental")
    compared = contest.seconds("incremental", "compared_seconds")
    processor = contest.processor("project")
    fixed = contest.seconds("fixed_rounds")
    extra = contest.partition("fixed_rounds")[1] - contest.partition("scipy")[1]
    figures = [
        Figure("full_vs_limit", full / limit, "x time", "<= 4"),
        Figure(
            "peak_memory_vs_scipy", contest.peak("project") / contest.peak("scipy"), "x", "<= 0.8"
        ),
        Figure(
            "full_vs_limit_processor", processor / contest.processor("limit"), "x processor time"
        ),
        Figure("full_vs_scipy", full / scipy, "x time"),
        Figure("incremental_1pct_speedup", full / step, "x faster", ">= 20"),
        Figure(
            "incremental_1pct_speedup_processor",
            processor / contest.processor("incremental"),
            "x less processor time",
        ),
        Figure("incremental_1pct_whole_model_speedup", full / compared, "x faster"),
        Figure("full_rounds", contest.runs["project"][0].answer["rounds"], "rounds"),
        Figure("fixed_rounds_vs_full", fixed / full, "x time"),
        Figure("fixed_rounds_extra_clusters", extra, "clusters"),
    ]
    if "splink" in contest.runs:
        figures += [
            Figure("splink_vs_full", contest.seconds("splink") / full, "x time"),
            Figure("splink_memory_vs_scipy", contest.peak("splink") / contest.peak("scipy"), "x"),
        ]
    figures += [
        Figure("edge_rows", rows["rows"], "rows"),
        Figure("identifiers", rows["nodes"], "nodes"),
    ]
    return figures


def _chains(persons: int, progress: TerminalProgress) -> list[Figure]:
    from orchestration.bench.graph import LONG_CHAIN, long_chains

    count = long_chains(persons)
    with progress.step("chains") as step:
        found = measure(_SOLVERS, "chains", count=count).answer
        step.say(
            f"{count:,} chains of {LONG_CHAIN:,} with sequential ids: {found['rounds']} rounds, "
            f"{found['wrong']:,} nodes wrong"
        )
    return [
        Figure("chain_rounds", found["rounds"], "rounds", "<= 20"),
        Figure("chain_wrong_nodes", found["wrong"], "nodes", "= 0"),
    ]


def _planted(persons: int, folder: Path, progress: TerminalProgress) -> list[Figure]:
    with progress.step("planted") as step:
        found = measure(
            "orchestration.bench.planted", "run_models", persons=persons, root_folder=str(folder)
        ).answer
        size, scores, seconds = (found[key] for key in ("planted", "scores", "seconds"))
        ids, accounts = scores["identifiers_models"], scores["accounts_models"]
        plain = scores["identifiers_plain"]
        step.say(
            f"{persons:,} persons, {size['nodes']:,} identifiers, {size['edges']:,} edges, "
            f"{size['false_edges']:,} of them false: pair F1 {ids['pair_f1']:.4f}",
            f"guards and models: {sum(seconds.values()):.1f} s, the slowest "
            + ", ".join(
                f"{name.removeprefix('int_identity__')} {value:.1f} s"
                for name, value in sorted(seconds.items(), key=lambda pair: -pair[1])[:3]
            ),
        )
    figures = [
        Figure("planted_pair_f1", ids["pair_f1"], "F1, identifiers", ">= 0.975"),
        Figure("planted_account_pair_f1", accounts["pair_f1"], "F1, accounts", ">= 0.965"),
        Figure("planted_pair_precision", ids["pair_precision"], "share"),
        Figure("planted_pair_recall", ids["pair_recall"], "share"),
        Figure("planted_account_pair_precision", accounts["pair_precision"], "share"),
        Figure("planted_account_pair_recall", accounts["pair_recall"], "share"),
        Figure("planted_bcubed_f1", ids["bcubed_f1"], "F1, identifiers"),
        Figure("planted_largest_cluster", ids["largest_customer"], "identifiers"),
        Figure("planted_largest_account_cluster", accounts["largest_customer"], "accounts"),
        Figure("plain_pair_precision", plain["pair_precision"], "share"),
        Figure("plain_pair_f1", plain["pair_f1"], "F1, identifiers"),
        Figure("plain_bcubed_f1", plain["bcubed_f1"], "F1, identifiers"),
        Figure("plain_largest_cluster", plain["largest_customer"], "identifiers"),
        Figure("planted_model_seconds", round(sum(seconds.values()), 3), "s"),
    ]
    figures += [
        Figure(f"planted_most_{id_type}", most, "of a customer", f"<= {allowed}")
        for id_type, most, allowed in found["held"]
    ]
    return figures
