"""Two languages, one content: the README and the marketers' guide say the same in both, and what seeds say."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from checkout import PROJECT

PAIRS = [
    ("README.md", "README.zh-CN.md"),
    ("docs/marketers-guide.md", "docs/marketers-guide.zh-CN.md"),
]
GUIDES = list(zip(PAIRS[1], ("en", "zh"), strict=True))
LARGEST_PICTURE = 80_000


def _text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", text)


def _commands(text: str) -> list[str]:
    """What one types in the indented blocks, without the comments."""
    blocks = re.findall(r"^    ((?:make|perennial|dbt|\.) .*)$", text, re.MULTILINE)
    return [line.split("#")[0].strip() for line in blocks]


def _paths(text: str) -> list[str]:
    """Paths and steps in the indented blocks, which languages share."""
    indented = "\n".join(re.findall(r"^    .*$", text, re.MULTILINE))
    return re.findall(r"data/\S+|v  [a-z]+", indented)


def _rows(text: str) -> list[tuple[list[str], list[str]]]:
    """Of each row of a table the code in it and, where it is a command, its exit codes."""
    rows = re.findall(r"^\| (`.*) \|$", text, re.MULTILINE)
    return [
        (
            re.findall(r"`[^`]+`", row),
            re.findall(r"\b[0-3]\b", row.rpartition(" | ")[2])
            if row.startswith("`perennial")
            else [],
        )
        for row in rows
    ]


@pytest.mark.parametrize("pair", PAIRS)
def test_both_languages_name_the_same(pair: tuple[str, str]) -> None:
    english, chinese = map(_text, pair)
    assert set(re.findall(r"`[^`\n]+`", english)) == set(re.findall(r"`[^`\n]+`", chinese))
    assert _rows(english) == _rows(chinese)
    assert _commands(english) == _commands(chinese)
    assert _paths(english) == _paths(chinese)
    assert sorted(map(_without_language, _links(english))) == sorted(
        map(_without_language, _links(chinese))
    )
    assert english.count("\n## ") == chinese.count("\n## ")


@pytest.mark.parametrize("name", [name for pair in PAIRS for name in pair])
def test_links_lead_somewhere(name: str) -> None:
    folder = (PROJECT / name).parent
    local = [link for link in _links(_text(name)) if not link.startswith("http")]
    assert [link for link in local if not (folder / link).exists()] == []


@pytest.mark.parametrize("pair", PAIRS)
def test_the_first_lines_lead_to_the_other_language(pair: tuple[str, str]) -> None:
    for name, other in (pair, pair[::-1]):
        assert f"]({Path(other).name})" in "".join(_text(name).splitlines(keepends=True)[:3])


def test_the_readmes_name_the_public_marts() -> None:
    marts = {path.stem for path in (PROJECT / "models" / "marts").rglob("*.sql")}
    for name in PAIRS[0]:
        named = set(re.findall(r"^\| `(\w+)` \|", _text(name), re.MULTILINE))
        assert {mart for mart in marts if not mart.startswith("int_")} <= named


@pytest.mark.parametrize(("name", "language"), GUIDES)
def test_the_guide_uses_the_words_of_the_seeds(name: str, language: str) -> None:
    text, label = _text(name), f"label_{language}"
    for model in {row["model_code"] for row in _seed("lifecycle_stage")}:
        stages = [row for row in _seed("lifecycle_stage") if row["model_code"] == model]
        ordered = [row[label] for row in sorted(stages, key=lambda row: int(row["stage_rank"]))]
        row = re.search(rf"^\| `{model}`.*$", text, re.MULTILINE).group()
        assert re.findall(r"\*\*([^*]+)\*\*", row) == ordered
    classes = {row["class_code"]: row[label] for row in _seed("rfm_class")}
    grid = {(row["r_score"], row["fm_score"]): row["western_class"] for row in _seed("rfm_grid")}
    for recency in "54321":
        cells = " | ".join(classes[grid[recency, second]] for second in "12345")
        assert f"\n| {recency} | {cells} |\n" in text
    for row in _seed("rfm_class"):
        assert row[label] in text
    for row in _seed("alert_rule"):
        assert re.search(rf"^\| {row[label]} \|.*\| {row['severity']} \|$", text, re.MULTILINE)


def test_the_guides_thresholds_are_those_of_e_commerce() -> None:
    """Written as numbers in the guides: whoever changes one of these changes it there too."""
    stated = {
        "warn_days": "90", "dormant_days": "90", "churn_days": "180", "active_min": "4", "habit_min": "8",
        "mature_orders": "4", "fall_min": "4", "fall_ratio": "0.5", "value_high": "0.80",
    }  # fmt: skip
    general, own = (
        {
            r["param_key"]: r["value"]
            for r in _seed("business_profile")
            if r["business_type"] == kind
        }
        for kind in ("*", "ecommerce")
    )
    assert {key: own.get(key, general[key]) for key in stated} == stated
    early = [r["ratio"] for r in _seed("alert_rule") if r["alert_code"] == "churn_pre_warning"]
    # 68 of 90 days, rounded up.
    assert set(early) == {"0.75"}


def test_pictures_are_small() -> None:
    for picture in (PROJECT / "docs" / "images").iterdir():
        assert picture.stat().st_size < LARGEST_PICTURE, picture


def _without_language(link: str) -> str:
    return link.replace(".zh-CN.md", ".md")
