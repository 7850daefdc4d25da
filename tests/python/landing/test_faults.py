"""Every case of the fault corpus, fast path allowed or not: each record accounted for, exactly.

All files lie in one data root and land in one go, so that a bad file also has every chance to
disturb the others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.landing import RefusedFile

from .conftest import Shop
from .faults import BOM, CASES, Case

KEY_COLUMN = {"shop/orders": "order_no"}


@dataclass
class Corpus:
    """What became of all cases, by file name or content hash."""

    ledger: dict[str, list[dict[str, Any]]]
    rows: dict[str, list[dict[str, Any]]]
    quarantined: dict[str, list[dict[str, Any]]]
    raw: dict[str, dict[int, bytes]]
    refused: dict[str, RefusedFile]
    lines: list[str]


def _name(case: Case) -> str:
    return f"{CASES.index(case):03}-{case.file_name}"


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "slow"])
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Land every case."""
    shop = Shop(Path(tmp_path_factory.mktemp("corpus")))
    for case in CASES:
        shop.drop(_name(case), case.content, case.table)
    result = shop.land(is_fast_allowed=request.param)
    found = Corpus({}, defaultdict(list), defaultdict(list), defaultdict(dict), {}, shop.lines)
    for row in shop.ledger():
        found.ledger.setdefault(row["file_name"], []).append(row)
    for table in {case.table for case in CASES}:
        for row in shop.rows(table):
            found.rows[row["_file_sha"]].append(row)
    for row in shop.quarantined():
        found.quarantined[row["file_sha"]].append(row)
    for row in shop.raw_quarantined():
        found.raw[row["file_sha"]][row["line"]] = row["raw"]
    for refused in result.refused:
        found.refused[refused.file_name] = refused
    return found


def test_the_cases_are_different_files():
    """Equal bytes would be skipped, not judged."""
    landed = [(case.table, case.content) for case in CASES if not case.refused]
    refused = {(case.table, case.content) for case in CASES if case.refused}
    assert len(set(landed)) == len(landed)
    assert not refused & set(landed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_record_is_accounted_for(request: pytest.FixtureRequest, corpus: Corpus, case: Case):
    (ledger,) = corpus.ledger[_name(case)]
    sha = ledger["file_sha"]
    rows = corpus.rows[sha]
    counts = [ledger[f"{what}_count"] for what in ("raw", "landed", "quarantined")]
    if case.refused:
        message = corpus.refused[_name(case)].message
        assert ledger["status"] == "refused"
        assert counts == [None, None, None]
        assert "\n" not in message
        assert message in corpus.lines
        assert ledger["reason"] in message and ledger["remedy"] in message
        for part in (case.table, *case.refused):
            assert part in message
        assert not rows and not corpus.quarantined[sha]
        return

    assert ledger["status"] == "landed", corpus.refused.get(_name(case))
    key = KEY_COLUMN.get(case.table, "id")
    quarantined = [(row["line"], row["reason"]) for row in corpus.quarantined[sha]]
    assert [row[key] for row in rows] == [number or None for number in case.landed]
    assert quarantined == list(case.quarantined)
    assert counts == [len(rows) + len(quarantined), len(rows), len(quarantined)]
    assert ledger["warning_count"] == case.warnings
    if case.reader and request.node.callspec.params["corpus"]:
        assert ledger["reader"] == case.reader
    if case.lines:
        assert [row["_line"] for row in rows] == list(case.lines)
    for number, values in case.values.items():
        (row,) = [row for row in rows if row[key] == number]
        assert {name: row[name] for name in values} == values
    lines = _physical_lines(case)
    assert set(corpus.raw[sha]) == {line for line, _ in case.quarantined}
    for line, content in corpus.raw[sha].items():
        assert content == case.raw.get(line, lines[line - 1] if lines else content)


def _physical_lines(case: Case) -> list[bytes]:
    """The file's own lines, where they are one byte string each: quarantine keeps them exactly."""
    if case.table == "shop/utf16" or case.file_name.endswith((".gz", ".parquet")):
        return []
    return case.content.removeprefix(BOM).split(b"\n")
