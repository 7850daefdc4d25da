"""Properties of the readers: equal to Python's own on valid input, fast equal to slow on any input,
nothing lost on rubbish."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.landing import decode
from orchestration.landing.contract import load_sources
from orchestration.landing.csv_records import CsvReader, split_line
from orchestration.landing.decode import LineReader, Plain, count_lines
from orchestration.landing.json_records import Digits, StrictJson, dump
from orchestration.landing.quarantine import Quarantine
from orchestration.landing.read import Job, read_file
from orchestration.landing.tokens import Tokeniser

from .conftest import Shop, csv_text

_FIELD = st.text('ab ,;"\n\r中😀\t1', max_size=8)
_CODECS = ["utf-8", "gb18030", "utf-16-le", "utf-16-be"]


def _plain(path: Path, content: bytes, codec: str = "utf-8") -> Plain:
    path.write_bytes(content)
    return Plain(path, codec, 0, codec, "\n".encode(codec))


def _all_rows(plain: Plain, width: int) -> tuple[list[list[str]], list[int], int]:
    reader = CsvReader(LineReader(plain), ",", [f"column {i}" for i in range(width)], 0)
    good, lines, bad = [], [], 0
    for block, bads in reader.blocks():
        good += [list(row) for row in zip(*block.columns, strict=True)]
        lines += block.lines
        bad += len(bads)
    total, filled = count_lines(plain)
    assert reader.lines_read == total
    assert len(good) + bad + reader.continuation_lines == filled, "every filled line is accounted"
    return good, lines, bad


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(_FIELD, min_size=3, max_size=3), min_size=1, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    codec=st.sampled_from(_CODECS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_valid_records_are_those_of_pythons_reader(rows, end, codec, quoting):
    if any("\r" in field for row in rows for field in row):
        quoting = csv.QUOTE_ALL  # Python's writer leaves a lone return unquoted, and loses it
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator=end, quoting=quoting).writerows(rows)
    text = sink.getvalue()
    expected = list(csv.reader(io.StringIO(text, newline="")))
    assert expected == rows
    with tempfile.TemporaryDirectory() as folder:
        good, _, bad = _all_rows(_plain(Path(folder) / "f", text.encode(codec), codec), 3)
    # A line end in quotes around a line that is a whole record by itself counts as swallowed.
    if not any("\n" in field for row in rows for field in row):
        assert (good, bad) == (rows, 0)
    else:
        assert all(row in rows for row in good if row in expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.text('ab ,"\n', max_size=6), min_size=5, max_size=5), max_size=8))
def test_line_ends_in_quotes_survive(rows):
    """With five columns and few delimiters inside the fields, no inner line looks like a record."""
    rows = [[field.replace(",", ".").replace('"', "'") for field in row] for row in rows]
    rows = [["k", *row] for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        good, _, bad = _all_rows(_plain(Path(folder) / "f", csv_text(rows).encode()), 6)
    assert (good, bad) == (rows, 0)


@settings(max_examples=300, deadline=None)
@given(st.text('a,"\n\r \x1a中\ufeff0', max_size=60), st.sampled_from(_CODECS), st.integers(1, 4))
def test_rubbish_is_accounted_for(text: str, codec: str, width: int):
    with tempfile.TemporaryDirectory() as folder:
        _, lines, _ = _all_rows(_plain(Path(folder) / "f", text.encode(codec), codec), width)
    assert lines == sorted(set(lines))


def test_blocks_of_any_size_give_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [["k", f"line\none {i}", "中" * (i % 7), 'say "x"'] for i in range(200)]
    for codec in _CODECS:
        plain = _plain(tmp_path / codec, csv_text(rows, "\r\n").encode(codec), codec)
        for size in (2, 3, 7, 64, 1 << 20):
            monkeypatch.setattr(decode, "BLOCK", size)
            assert _all_rows(plain, 4)[0] == rows


_PIECES = ["R1,a,1", 'R2,"b, ""c""",2', "R3,,", "id,note,amount", "TOTAL,,", "x", "", '"a,1,2']
_SIGNS = 'a,"\r \x1a中\ufeff\0;'


def _strange_files(count: int) -> Iterator[bytes]:
    """Files around the border of what the fast path may take, by a fixed seed."""
    random = Random(7)
    for _ in range(count):
        lines = ["id,note,amount"]
        for _ in range(random.randrange(5)):
            if random.random() < 0.7:
                lines.append(random.choice(_PIECES[: random.choice([3, 3, 8])]))
            else:
                lines.append("".join(random.choices(_SIGNS, k=random.randrange(9))))
        end = random.choice(["\n", "\r\n"])
        yield (end.join(lines) + random.choice(["", end])).encode()


def test_fast_and_slow_path_read_the_same(shop: Shop, con: duckdb.DuckDBPyConnection):
    table = load_sources(shop.project).channels["shop"]["plain"]
    path, readers = shop.data / "strange.csv", Counter()
    for content in _strange_files(300):
        path.write_bytes(content)
        found = []
        for is_fast_allowed in (True, False):
            with Quarantine(shop.data, table, "x", Tokeniser(b"k" * 32)) as bad:
                job = Job(con, table, path, "csv", shop.data, bad, is_fast_allowed)
                read = read_file(job)
                rows = con.execute(f"select {read.line}, d0, d1, d2 from src order by 1").fetchall()
                found.append((read.raw_count, rows, bad.reasons))
                readers[read.reader] += 1
                assert read.raw_count == len(rows) + bad.count
        assert found[0] == found[1], content
    assert readers["fast"] > 50, "the fast path is taken often enough to mean something"


def test_fast_and_slow_path_write_the_same_bytes(make_shop: Callable[[str], Shop]):
    text = csv_text(
        [["order_no", "buyer_phone", "buyer_email", "buyer_name", "paid"]]
        + [
            [f"R{i}", f"139{i:08}", f"p{i % 50}@mail.com", f'"{i % 9}", x', "1"]
            for i in range(5000)
        ]
    )
    found = []
    for name, options in (
        ("fast", {"threads": 2}),
        ("one thread", {"threads": 1}),
        ("little memory", {"memory_limit": "64MB"}),
        ("slow", {"is_fast_allowed": False}),
    ):
        shop = make_shop(name)
        shop.drop("o.csv", text)
        shop.land(**options)
        (file,) = (shop.data / "landed" / "shop" / "orders").glob("[0-9a-f]*.parquet")
        found.append(file.read_bytes())
        reader = "slow" if name == "slow" else "fast"
        assert [r["reader"] for r in shop.ledger()] == [reader]
    assert len(set(found)) == 1


def test_rows_keep_the_order_of_the_file_whatever_its_size(shop: Shop):
    """More rows than one row group, on two threads, with identifiers joined back."""
    numbers = range(300_000)
    lines = (f"R{i},139{i * 7919 % 10**8:08},p{i % 1000}@mail.com,1\n" for i in numbers)
    shop.drop("o.csv", "order_no,buyer_phone,buyer_email,paid\n" + "".join(lines))
    shop.land(threads=2)
    (file,) = (shop.data / "landed" / "shop" / "orders").glob("[0-9a-f]*.parquet")
    landed = pq.read_table(file, columns=["order_no", "_line", "ids"])
    assert landed["_line"].to_pylist() == [i + 2 for i in numbers]
    assert landed["order_no"].to_pylist() == [f"R{i}" for i in numbers]
    assert landed["ids"].null_count == 0


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a,b", ["a", "b"]),
        ("", [""]),
        ('"a,b",""', ["a,b", ""]),
        ('"a""b"', ['a"b']),
        ('a"b,c', ['a"b', "c"]),
        ("a,", ["a", ""]),
        ('"a",', ["a", ""]),
        ('"a', None),
        ('"a"b', None),
        ('"a" ,b', None),
    ],
)
def test_split_line(text: str, fields: list[str] | None):
    assert split_line(text, ",") == fields


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(_JSON)
def test_strict_json_reads_what_json_reads(value):
    text = json.dumps(value, ensure_ascii=False)
    if "\0" in json.dumps(value, ensure_ascii=False) or "\\u0000" in text:
        return
    parsed = StrictJson().parse(text)
    assert json.loads(dump(parsed)) == value
    assert isinstance(parsed, Digits) == (isinstance(value, int) and not isinstance(value, bool))
