"""`perennial bench clv`: fitting and scoring of lifetime value, beside others on one population."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from orchestration.bench.child import Measured, measure
from orchestration.bench.figures import Figure, check_request, show
from orchestration.runtime.progress import TerminalProgress

FEWEST, MOST = 10_000, 10_000_000
REPEATS = 3
OTHERS = {"pymc": "pymc-marketing", "lifetimes": "lifetimes"}
# How far a likelihood may fall short of another's, and SQL of Python, both relative.
SAME_LIKELIHOOD = 1e-4
SAME_SCORE = 1e-8
_CONTESTANTS = "orchestration.bench.clv_contestants"
_MIB = 2**20


@dataclass
class Contest:
    """Every run of every contestant, the log-likelihoods of what they found."""

    runs: dict[str, list[Measured]] = field(default_factory=dict)
    likelihoods: dict[str, dict[str, float]] = field(default_factory=dict)

    def seconds(self, name: str, *parts: str) -> float:
        """The fastest run: whatever else the machine did can only have slowed the others."""
        return min(sum(run.answer[f"{part}_seconds"] for part in parts) for run in self.runs[name])

    def extra(self, name: str) -> float:
        """Memory above what the imports took, of the least fortunate run, in MiB."""
        return max(run.answer["extra_bytes"] for run in self.runs[name]) / _MIB

    def shortfall(self, name: str) -> float:
        """How far the project's log-likelihood is below another's, relative; the worse model's."""
        own, other = self.likelihoods["perennial"], self.likelihoods[name]
        return max((other[model] - own[model]) / abs(own[model]) for model in own)

    def apart(self) -> float:
        """Largest relative difference of a total between SQL and Python."""
        own, sql = (self.runs[name][0].answer["totals"] for name in ("perennial", "sql"))
        return max(abs(a / b - 1) for a, b in zip(own, sql, strict=True))


def bench_clv(customers: int, json_file: Path | None, out: TextIO) -> bool:
    """Run the benchmark, print its table and write its JSON; False if answers differ.

    Raises UserError for a number of customers or a file that cannot be.
    """
    check_request("--customers", customers, FEWEST, MOST, json_file)
    progress = TerminalProgress(out)
    contest = Contest()
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        file = str(Path(folder) / "customers.parquet")
        with progress.step("customers") as step:
            rows = measure(
                _CONTESTANTS, "write_customers", customers=customers, folder=folder
            ).answer
            step.say(
                f"{customers:,} over two years, {rows['repeat_buyers']:,} repeat buyers, "
                f"{rows['distinct']:,} distinct daily rows"
            )
        # Interleaved, so that a busy minute of the machine does not fall on one contestant alone.
        for _ in range(REPEATS):
            for name in ("perennial", "sql", *OTHERS):
                _run(contest, name, file, progress)
        with progress.step("likelihood") as step:
            found = {
                name: runs[0].answer["parameters"]
                for name, runs in contest.runs.items()
                if name != "sql"
            }
            contest.likelihoods = measure(
                _CONTESTANTS, "likelihoods", customers_file=file, found=found
            ).answer
            for name, models in contest.likelihoods.items():
                step.say(f"{name}: orders {models['orders']:,.3f}, value {models['value']:,.3f}")
    figures = _figures(contest, rows)
    wrong = _disagreements(contest)
    show(figures, (*_remarks(contest), *wrong), json_file, out)
    return not wrong


def _run(contest: Contest, name: str, file: str, progress: TerminalProgress) -> None:
    if name in OTHERS and contest.runs.get("perennial", [])[1:] and name not in contest.runs:
        return
    arguments: Mapping[str, object] = {"customers_file": file}
    if name == "sql":
        arguments = {**arguments, "parameters": contest.runs["perennial"][0].answer["parameters"]}
    with progress.step(name) as step:
        run = measure(_CONTESTANTS, name, **arguments)
        if not run.answer:
            step.say("not installed, left out")
            return
        contest.runs.setdefault(name, []).append(run)
        fit, score = (run.answer[f"{part}_seconds"] for part in ("fit", "score"))
        step.say(
            (f"fit {fit:.2f} s, " if fit else "")
            + f"scores {score:.2f} s, {run.answer['extra_bytes'] / _MIB:,.0f} MB extra"
        )


def _figures(contest: Contest, rows: Mapping[str, int]) -> list[Figure]:
    own = contest.seconds("perennial", "fit", "score")
    figures = [
        Figure("extra_memory", contest.extra("perennial"), "MiB", "<= 150"),
        Figure(
            "sql_vs_python_scoring",
            contest.seconds("sql", "score") / contest.seconds("perennial", "score"),
            "x time",
            "<= 5",
        ),
        Figure("sql_apart_from_python", contest.apart(), "relative", f"<= {SAME_SCORE}"),
    ]
    for name, bound in (("pymc", ">= 2"), ("lifetimes", ">= 2.5")):
        if name not in contest.runs:
            continue
        fit, score = (
            contest.seconds(name, part) / contest.seconds("perennial", part)
            for part in ("fit", "score")
        )
        figures += [
            Figure(f"{name}_vs_own", contest.seconds(name, "fit", "score") / own, "x time", bound),
            Figure(f"{name}_vs_own_fit", fit, "x time"),
            Figure(f"{name}_vs_own_scoring", score, "x time"),
            Figure(f"{name}_extra_memory", contest.extra(name), "MiB"),
            Figure(
                f"likelihood_below_{name}",
                contest.shortfall(name),
                "relative",
                f"<= {SAME_LIKELIHOOD}",
            ),
        ]
    return [
        *figures,
        Figure("own_fit", contest.seconds("perennial", "fit"), "s"),
        Figure("own_scoring", contest.seconds("perennial", "score"), "s"),
        Figure("distinct_rows", rows["distinct"], "rows"),
    ]


def _remarks(contest: Contest) -> list[str]:
    missing = [
        f"{package} took no part, since it is not installed."
        for name, package in OTHERS.items()
        if name not in contest.runs
    ]
    unequal = [
        f"{OTHERS[name]} stopped short of the summit: its log-likelihood is lower by more than "
        "0.01 %."
        for name in OTHERS
        if name in contest.runs and contest.shortfall(name) < -SAME_LIKELIHOOD
    ]
    return missing + unequal


def _disagreements(contest: Contest) -> list[str]:
    wrong = [
        f"The likelihood falls short of that of {OTHERS[name]}: the fit has not converged."
        for name in OTHERS
        if name in contest.runs and contest.shortfall(name) > SAME_LIKELIHOOD
    ]
    if contest.apart() > SAME_SCORE:
        wrong.append("SQL and Python differ in what they expect: see sql_apart_from_python.")
    return wrong
