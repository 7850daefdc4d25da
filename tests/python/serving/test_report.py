"""The page: whole in one file, every chart with data and drawn, honest where there is none."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import altair as alt
import duckdb
import pytest
from browser import browser
from jsonschema import ValidationError
from published_file import TABLES, write_published

from orchestration.errors import UserError
from orchestration.runtime.paths import DataPaths
from orchestration.serving.report import write_report

PANELS = (
    "stages", "warnings", "cohorts", "rfm", "rfm-movement", "activity", "funnels", "sales", "channels", "value", "quality",
)  # fmt: skip
CHARTS = 18
TABLE_OF = {
    "stages": "lifecycle_flow_monthly",
    "warnings": "customer_alert",
    "cohorts": "cohort_monthly",
    "rfm": "customer_rfm",
    "rfm-movement": "rfm_movement_monthly",
    "activity": "activity_daily",
    "funnels": "funnel_monthly",
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


def test_every_specification_is_valid(report: Path) -> None:
    charts = specs(report.read_text())
    for spec in charts.values():
        alt.Chart.from_dict(spec)
    with pytest.raises(ValidationError):
        alt.Chart.from_dict({**next(iter(charts.values())), "mark": "a word"})


def test_every_chart_has_data(report: Path) -> None:
    charts = specs(report.read_text())
    views = {"stages-value5", "stages-maturity5"}
    assert {key.rsplit("-", 1)[0] for key in charts} == (set(PANELS) - {"stages"}) | views
    assert len(charts) == CHARTS
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


def drawn(page: str, key: str) -> list[dict]:
    """The rows in the specification of a chart: those of its first layer that has any."""
    spec = specs(page)[key]
    return next(part["data"]["values"] for part in (spec, *spec.get("layer", ())) if "data" in part)


def test_moves_are_those_of_the_last_month(report: Path) -> None:
    page = report.read_text()
    assert "In 2026-06: 17 new, 20 went up, 11 down, 3 came back." in section(page, "stages")
    moves = {(row["from"], row["to"]): row for row in drawn(page, "stages-value5-1")}
    assert len(moves) == 5
    assert moves["New 新客", "Existing 老客"]["customers"] == 20
    assert moves["New 新客", "Existing 老客"]["share"] == pytest.approx(0.25)


def test_class_moves_are_those_between_the_last_two_days(report: Path) -> None:
    page = report.read_text()
    assert (
        "From 2026-05-31 to 2026-06-30 36 of 105 buyers changed class; "
        "most went from New 新客户 to Champion 冠军客户 (31)." in section(page, "rfm-movement")
    )
    assert sorted(row["customers"] for row in drawn(page, "rfm-movement-0")) == [5, 8, 31, 69]


def test_cohort_cells_that_are_not_over_are_blank(report: Path, tmp_path: Path) -> None:
    page = report.read_text()
    with duckdb.connect(str(write_published(tmp_path / "marts.duckdb"))) as marts:
        expected = marts.execute(
            """
            select strftime(cohort_month_on, '%Y-%m'), age_months, retention_rate::double,
                cumulative_net_sales_per_customer_amount::double
            from cohort_monthly where entry_event = 'first_purchase' and channel_code = 'all'
                and retention_rate is not null and cohort_month_on >= '2025-06-01' and age_months <= 12
            """
        ).fetchall()
    for chart, column in (("cohorts-0", 2), ("cohorts-1", 3)):
        cells = {(row["cohort"], row["age"]): row["value"] for row in drawn(page, chart)}
        assert cells == {(row[0], row[1]): row[column] for row in expected}


def test_warnings_count_the_week_and_name_customers_only_by_id(report: Path) -> None:
    page = report.read_text()
    text = section(page, "warnings")
    opened = [i for i in range(60) if i // 3 < 7 and i % 2 == 0]
    counts = [sum(i % 3 == kind for i in opened) for kind in (0, 1, 2)]
    due = sum(i % 2 == 0 and i % 14 < 7 for i in range(56))
    assert [row["value"] for row in drawn(page, "warnings-0")] == [*counts, due]
    cells = re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td>", text)
    assert cells and all(re.fullmatch(r"c_\d+", customer) for customer, _, _ in cells)
    assert max(sum(kind == other for _, _, other in cells) for _, _, kind in cells) <= 5
    assert "Coffee &lt;b&gt;, every 30 days (personal)" in text


def test_activity_has_promotions_and_unusual_days(report: Path) -> None:
    page = report.read_text()
    promotions, lines, unusual = (
        layer["data"]["values"] for layer in specs(page)["activity-0"]["layer"]
    )
    assert promotions == [{"start": "2026-05-31", "end": "2026-06-21"}]
    assert len(lines) == 3 * 182
    assert [row["day"] for row in unusual] == ["2026-05-11"]
    assert "2026-06-30: DAU 40, WAU 120, MAU 300 (DAU is 13.3% of MAU)" in page


def test_a_funnel_is_of_the_last_month_that_is_over(report: Path) -> None:
    page = report.read_text()
    assert "first purchase 2026-05: 25.0% reach the end." in section(page, "funnels")
    assert [row["value"] for row in drawn(page, "funnels-0")] == [80, 20]


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


PICK_THE_SECOND = """(async () => {
  const picker = document.querySelector('#stages select');
  picker.selectedIndex = 1;
  picker.dispatchEvent(new Event('change'));
  await window.reportReady;
  const second = document.getElementById('stages-maturity5');
  return [document.getElementById('stages-value5').hidden, second.hidden,
    second.querySelectorAll('[role=graphics-symbol]').length > 2];
})()"""


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
        assert len(marks) == CHARTS
        assert all(
            (count > 2 and drawn > 250) != name.startswith("spec-stages-maturity5")
            for name, count, drawn in marks
        ), marks
        assert page.evaluate(PICK_THE_SECOND) == [True, False, True]
        assert page.requested() == [report.as_uri()]
        assert page.complaints() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
