"""The page: whole in one file, every chart with data and drawn, honest where there is none."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from browser import browser
from published_file import TABLES, write_published

from orchestration.errors import UserError
from orchestration.runtime.paths import DataPaths
from orchestration.serving.report import write_report

PANELS = ("stages-value5", "stages-maturity5", "rfm", "sales", "channels", "value", "quality")
TABLE_OF = {
    "stages-value5": "lifecycle_stage_monthly",
    "stages-maturity5": "lifecycle_stage_monthly",
    "rfm": "customer_rfm",
    "sales": "sales_monthly",
    "channels": "dim_channel",
    "value": "customer_clv",
    "quality": "data_quality_tables",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the small published file."""
    paths = DataPaths(tmp_path_factory.mktemp("report"))
    write_published(paths.published)
    write_report(paths)
    return paths.report


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's program; the test is skipped where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip(
        "No Chromium is installed (on Debian: apt install chromium), so no page is looked at."
    )


def specs(page: str) -> dict[str, dict]:
    """The specification of each chart in the page."""
    found = re.findall(r'<script type="application/json" id="spec-([^"]+)">(.*?)</script>', page)
    return {key: json.loads(text) for key, text in found}


def section(page: str, key: str) -> str:
    return re.search(rf'<section id="{key}">.*?</section>', page, re.DOTALL).group()


def test_the_page_refers_to_nothing_outside(report: Path) -> None:
    page = report.read_text()
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\(|\bsrc=", markup)
    assert "default-src 'none'" in markup
    assert "http" not in json.dumps(specs(page))


def test_every_chart_has_data(report: Path) -> None:
    charts = specs(report.read_text())
    assert {key.rsplit("-", 1)[0] for key in charts} == set(PANELS)
    assert len(charts) == 11
    for key, spec in charts.items():
        held = json.dumps(spec)
        assert '"values": [{' in held, key
        assert "$schema" not in spec, key


def test_every_panel_says_day_definition_and_table(report: Path) -> None:
    page = report.read_text()
    for key in PANELS:
        text = section(page, key)
        assert "As of 2026-06-30. " in text
        assert f"<code>{TABLE_OF[key]}</code>" in text


def test_figures_have_their_currency_and_stages_their_chinese_names(report: Path) -> None:
    page = report.read_text()
    assert "CNY 497,500" in page
    assert "High value 高价值" in page
    assert (
        "20,000 raw records in 8 files = 18,900 loaded + 60 quarantined + 940 duplicate + 100 superseded"
        in page
    )


def test_text_from_the_data_cannot_become_markup(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    hostile = "create table dim_channel as select 'douyin' as channel_code, '</script><img src=x>' as label_en, '抖' as label_zh"
    write_published(
        paths.published, (*(t for t in TABLES if "table dim_channel" not in t), hostile)
    )
    write_report(paths)
    page = paths.report.read_text()
    assert "<img src=x" not in page
    assert any("</script><img src=x>" in json.dumps(spec) for spec in specs(page).values())


def test_a_panel_without_data_says_so(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    write_published(paths.published, ())
    write_report(paths)
    page = paths.report.read_text()
    assert specs(page) == {}
    for key in PANELS:
        assert "No data. " in section(page, key)


def test_tables_without_rows_are_no_data_either(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    names = [re.search(r"create table (\w+)", statement).group(1) for statement in TABLES]
    write_published(paths.published, (*TABLES, *(f"delete from {name}" for name in names)))
    write_report(paths)
    assert specs(paths.report.read_text()) == {}


def test_nothing_published_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="perennial run"):
        write_report(DataPaths(tmp_path))


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_every_chart_and_asks_for_nothing(
    report: Path, chromium: str, tmp_path: Path, width: int
) -> None:
    with browser(chromium, tmp_path) as page:
        page.open(report, width)
        marks = page.evaluate(
            "Array.from(document.querySelectorAll('.chart')).map(c => [c.dataset.spec,"
            " c.querySelectorAll('[role=graphics-symbol]').length, c.clientWidth])"
        )
        assert len(marks) == 11
        assert all(count > 2 and drawn > 250 for _, count, drawn in marks), marks
        assert page.requested() == [report.as_uri()]
        assert page.complaints() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
