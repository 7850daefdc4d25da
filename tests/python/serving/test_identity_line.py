"""The line about identity: on the status screen, in the report, and with each kind of alert."""

from __future__ import annotations

from pathlib import Path

from published_file import TABLES, write_published

from orchestration.runtime.paths import DataPaths
from orchestration.serving.identity import sentence
from orchestration.serving.report import write_report
from orchestration.serving.status import status_screen

QUALITY = """
    create table identity_quality_run as
    select run_number, measure, dimension, value::decimal(18,6) as measure_value,
        baseline::decimal(18,6) as baseline_value, alert_code
    from (values
        (1, 'customers', 'known', 1, null, 'largest_customer'),
        (2, 'customers', 'known', 1200, 1, null),
        (2, 'customers', 'anonymous', 34, null, null),
        (2, 'identifiers', 'all', 5678, null, null),
        (2, 'order_match_rate', 'shop', 0.5, 0.75, 'match_rate_drop')
    ) as rows(run_number, measure, dimension, value, baseline, alert_code)
"""
LINE = (
    "1,200 known and 34 anonymous customers of 5,678 identifiers; "
    "ALERT: order match rate of shop is 50.0%, it was 75.0% in the runs before"
)


def test_status_and_report_show_the_newest_run(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    write_published(paths.published, (*TABLES, QUALITY))
    assert f"Identity    {LINE}" in status_screen(paths).splitlines()
    write_report(paths)
    assert f"Identity: {LINE}." in paths.report.read_text()


def test_a_version_without_the_table_says_nothing(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    write_published(paths.published)
    assert "Identity" not in status_screen(paths)


def test_every_alert_has_its_words_and_many_are_cut_short() -> None:
    def row(measure: str, dimension: str, value: float, alert: str, baseline: float | None = None):
        return {
            "measure": measure, "dimension": dimension, "value": value, "alert": alert, "baseline": baseline,
        }  # fmt: skip

    told = sentence(
        [
            row("identifiers_per_customer", "max", 400, "largest_customer"),
            row("rejected_edges", "masked", 1000, "jump", 20),
            row("id_changes", "merged", 90, "jump"),
            row("id_changes", "split", 80, "jump", 1),
        ]
    )
    assert "one customer has 400 identifiers; " in told
    assert "rejected edges masked: 1,000, they were 20 in the runs before; " in told
    assert "id changes merged: 90, they were 0 in the runs before; 1 more in" in told
