"""From feeds to files: which record goes into which delivery, and in which bytes.

A *feed* is one table of one channel. Its `source` is a relation with a row for each version of
each record; the writer decides in which delivery a row arrives (by the moment at which it was
known, some of them late), repeats a stretch of days in the next delivery (an overlapping export),
adds broken records, and writes one file for each delivery. Lines of text are made by DuckDB; Python
touches only whole files (encoding, gzip, SHA-256) and the few broken records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.demo.faults import Fault, break_csv, break_json
from orchestration.demo.finish import FinishJob, finish_file
from orchestration.demo.population import start_of
from orchestration.demo.prng import Draws

# Days (exclusive) at which a delivery closes, as counted from the first day of the demo.
SCHEDULES = {
    "fine": (183, 365, 548, 670, 729, 730),
    "coarse": (365, 700, 730),
    "rare": (548, 730),
    "once": (730,),
}
SYNC_DELAY_S = 9000
OVERLAP_DAYS = 2
BROKEN_SHARE = 0.006  # of a table
MOST_BROKEN_SHARE = 0.008  # of a file
SMALLEST_BROKEN_TABLE = 150
BROKEN_OF_A_KIND = 5

_WORD = re.compile(r"\w+")

MACROS = """
create or replace temp macro demo_moment(s) as make_timestamp(s * 1000000);
create or replace temp macro demo_money(c) as
    cast(cast(c as decimal(16, 0)) * cast(0.01 as decimal(3, 2)) as varchar);
create or replace temp macro demo_csv(x) as
    case when contains(x, ',') or contains(x, '"') or contains(x, chr(10))
        then concat('"', replace(x, '"', '""'), '"') else x end;
create or replace temp macro demo_json(x) as
    replace(replace(replace(x, chr(92), chr(92) || chr(92)), '"', chr(92) || '"'), chr(10),
        chr(92) || 'n');
"""


@dataclass(frozen=True)
class Column:
    """One field of a file.

    `bare` members are written into JSON without quotes. `means` is the canonical name where the
    file calls the field by an alias. `type` is the SQL type in Parquet. `always` promises that the
    value is never NULL.
    """

    name: str
    sql: str
    bare: bool = False
    means: str = ""
    type: str = "varchar"
    always: bool = False

    @property
    def canonical(self) -> str:
        """Name by which sources.yml declares the field."""
        return self.means or self.name


@dataclass(frozen=True)
class Feed:
    """One table of one channel.

    `source` is SQL that yields, for each version of a record, `_at_s` (when that version was known,
    local seconds), `_id` (BIGINT, unique together with `_version`), `_version` (0, 1, ...),
    `_is_newest` and whatever `columns` and `expand` use; the writer adds `_synced_s`, the moment of
    the delivery. With `expand`, SQL in which `{rows}` stands for such rows, one row becomes `_rows`
    records, numbered by `_record`. Broken records are made from rows that satisfy `models`, and
    `newlines` counts the line breaks inside a row's text.
    """

    channel: str
    table: str
    schedule: str
    source: str
    columns: tuple[Column, ...]
    layout: str = "csv"
    encoding: str = "utf-8"
    key: str = ""
    fresh_key: Callable[[int], str] | None = None
    faults: tuple[Fault, ...] = ()
    older: tuple[Column, ...] = ()
    older_files: int = 0
    expand: str | None = None
    zipped_files: frozenset[int] = frozenset()
    bom_files: frozenset[int] = frozenset()
    repeated_file: int | None = None
    late_share: float = 0.0
    overlaps: bool = True
    newlines: str = "0"
    models: str = "true"

    def columns_of(self, number: int) -> tuple[Column, ...]:
        """Columns of the file with this number; early files may have an older shape."""
        return self.older if number < self.older_files else self.columns


@dataclass
class FileTruth:
    """What a file holds and what must become of it."""

    channel: str
    table_name: str
    file_name: str
    layout: str
    encoding: str
    status: str = "landed"
    raw: int = 0
    loaded: int = 0
    superseded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    sha256: str = ""
    size_bytes: int = 0
    reason: str = ""


@dataclass
class BrokenTruth:
    """One planted broken record: where it is, what is wrong and what the project calls that."""

    channel: str
    table_name: str
    file_name: str
    line: int
    fault: str
    stage: str
    reason: str


@dataclass
class Broken:
    """A broken record on its way into file number `file`, after the good record (at_s, row_id)."""

    file: int
    at_s: int
    row_id: int
    number: int
    fault: Fault
    text: str
    line: int = 0


@dataclass
class Written:
    """Everything written so far."""

    files: list[FileTruth] = field(default_factory=list)
    broken: list[BrokenTruth] = field(default_factory=list)


class Writer:
    """Writes feeds below `root` (one folder a channel, one a table)."""

    def __init__(self, con: duckdb.DuckDBPyConnection, draws: Draws, root: Path, end: date) -> None:
        self.con = con
        self.draws = draws
        self.root = root
        self.start = start_of(end)
        self.written = Written()
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._pending: list[tuple[FileTruth, Future[tuple[str, int]]]] = []
        self._copies: list[tuple[FileTruth, FileTruth, int, int]] = []
        con.execute(MACROS)

    def write(self, feed: Feed) -> None:
        """Write all deliveries of a feed."""
        closes = SCHEDULES[feed.schedule]
        self._assign(feed, closes)
        truths = [self._truth(feed, number, close) for number, close in enumerate(closes)]
        self._count(feed, truths)
        broken = self._break(feed, [truth.raw for truth in truths])
        for number, truth in enumerate(truths):
            if truth.raw:
                self._write_file(feed, number, truth, [b for b in broken if b.file == number])
        self.con.execute("drop table feed_rows")

    def finish(self) -> Written:
        """Wait for all files, settle which copy of a repeated record counts; return the truth."""
        for truth, future in self._pending:
            truth.sha256, truth.size_bytes = future.result()
        self._pool.shutdown()
        for first, second, newest, older in self._copies:
            loser = second if first.sha256 <= second.sha256 else first
            loser.loaded -= newest
            loser.superseded -= older
            loser.duplicate += newest + older
        return self.written

    def _assign(self, feed: Feed, closes: tuple[int, ...]) -> None:
        """`feed_rows`: the source with the number of the delivery of each row, copies included."""
        last = len(closes) - 1
        numbers = " ".join(
            f"when _at_s < {close * 86400} then {n}" for n, close in enumerate(closes)
        )
        # the sources number their rows by themselves, so a stream needs the table's name
        late = self.draws.unit(f"late.{feed.channel}.{feed.table}", "_id")
        share = feed.late_share
        delay = f"(case when {late} < {share / 5} then 2 when {late} < {share} then 1 else 0 end)"
        synced = " ".join(f"when {n} then {c * 86400 + SYNC_DELAY_S}" for n, c in enumerate(closes))
        rows = "" if feed.expand else ", 1 as _rows"
        self.con.execute(
            f"""
            create or replace temp table feed_rows as
            with sourced as (
                select {self._used(feed)}{rows}, case {numbers} else {last} end as _due
                from ({feed.source})
            ),
            delivered as (
                select *, {f"least({last}, _due + {delay})" if feed.late_share else "_due"} as _file
                from sourced
            )
            select *, _file as _first_file, 0 as _copy, case _file {synced} end as _synced_s
            from delivered
            {self._overlaps(feed, closes, synced)}
            order by _file, _at_s, _id, _version, _copy
            """
        )

    def _used(self, feed: Feed) -> str:
        """Columns of the source that the feed's SQL names: only those are sorted and kept."""
        described = self.con.execute(f"describe {feed.source}").fetchall()
        texts = [column.sql for column in (*feed.columns, *feed.older)]
        words = set(
            _WORD.findall(" ".join([*texts, feed.expand or "", feed.models, feed.newlines]))
        )
        return ", ".join(name for name, *_ in described if name in words or name.startswith("_"))

    def _overlaps(self, feed: Feed, closes: tuple[int, ...], synced: str) -> str:
        """Rows of the last days of a delivery once more in the next one, byte for byte."""
        if not feed.overlaps:
            return ""
        windows = [
            f"(_file = {n} and _due = {n} and _at_s >= {(closes[n] - OVERLAP_DAYS) * 86400})"
            for n in range(len(closes) - 1)
            if n % 2 == 1 and n + 1 != feed.older_files
        ] or [
            f"(_file = {n} and _due = {n} and _at_s >= {(closes[n] - OVERLAP_DAYS) * 86400})"
            for n in range(min(1, len(closes) - 1))
            if n + 1 != feed.older_files
        ]
        if not windows:
            return ""
        return (
            "union all select * replace (_file + 1 as _file), _file as _first_file, 1 as _copy,"
            f" case _file {synced} end as _synced_s from delivered where {' or '.join(windows)}"
        )

    def _expanded(self, feed: Feed, rows: str) -> str:
        return feed.expand.replace("{rows}", rows) if feed.expand else rows

    def _break(self, feed: Feed, sizes: list[int]) -> list[Broken]:
        """Broken records, each beside the good one it was made from; `sizes` are the files'.

        Records whose shape is broken all go into one delivery, the smallest in which they stay
        rare, as one bad export would do it; broken values lie anywhere, but are rare in every file.
        """
        total = sum(sizes)
        budget = min(int(total * BROKEN_SHARE), BROKEN_OF_A_KIND * len(feed.faults))
        if total < SMALLEST_BROKEN_TABLE or not budget:
            return []
        planned: list[Fault] = []
        for turn in range(budget):
            fault = feed.faults[turn % len(feed.faults)]
            if sum(f.records for f in planned) + fault.records <= budget:
                planned.append(fault)
        shapes = sum(fault.stage == "landing" for fault in planned)
        by_size = sorted(range(len(sizes)), key=lambda number: sizes[number])
        bad_export = next((n for n in by_size if sizes[n] * BROKEN_SHARE >= shapes), by_size[-1])
        room = [int(size * MOST_BROKEN_SHARE) for size in sizes]
        candidates = {
            "landing": self._models(feed, 2 * shapes, bad_export),
            "unified": self._models(feed, 3 * len(planned)),
        }
        broken: list[Broken] = []
        for number, fault in enumerate(planned):
            models = candidates[fault.stage]
            model = next((m for m in models if room[m[0]] >= fault.records), None)
            if model is None:
                continue
            models.remove(model)
            file, at_s, row_id, texts = model
            room[file] -= fault.records
            fresh = feed.fresh_key(number) if feed.fresh_key else None
            maker = break_csv if feed.layout == "csv" else break_json
            for text in maker(fault, feed.columns_of(file), texts, feed.key, fresh):
                broken.append(Broken(file, at_s, row_id, len(broken), fault, text))
        self._place(feed, broken)
        return broken

    def _place(self, feed: Feed, broken: list[Broken]) -> None:
        """Set the physical line of each broken record: after the good records up to its model."""
        if not broken:
            return
        values = ", ".join(f"({b.file}, {b.at_s}, {b.row_id}, {b.number})" for b in broken)
        before = dict(
            self.con.execute(
                f"""
                select broken.number, sum(good._lines)
                from (values {values}) as broken (file, at_s, row_id, number)
                inner join (
                    select _file, _at_s, _id, _rows + ({feed.newlines}) as _lines from feed_rows
                ) as good
                    on broken.file = good._file
                    and (good._at_s < broken.at_s
                        or (good._at_s = broken.at_s and good._id <= broken.row_id))
                group by 1
                """
            ).fetchall()
        )
        first = 1 if feed.layout == "csv" else 0
        placed = [0] * (1 + max(b.file for b in broken))
        for record in sorted(broken, key=lambda b: (b.file, b.at_s, b.row_id, b.number)):
            placed[record.file] += 1
            record.line = int(before[record.number]) + placed[record.file] + first

    def _models(
        self, feed: Feed, count: int, number: int | None = None
    ) -> list[tuple[int, int, int, list[str | None]]]:
        """Good records to make broken ones from, of one delivery where a number is given.

        Each is (delivery, moment, id, texts of its fields).
        """
        order = self.draws.bits(f"broken.{feed.channel}.{feed.table}", "_id")
        within = "true" if number is None else f"_file = {number}"
        self.con.execute(
            f"""
            create or replace temp table feed_models as
            select * from feed_rows
            where _copy = 0 and _is_newest and _rows > 0 and ({feed.models}) and {within}
            order by {order}, _id, _version limit {count}
            """
        )
        found = []
        for is_older in (True, False):
            columns = feed.older if is_older else feed.columns
            if not columns:
                continue
            side = "<" if is_older else ">="
            rows = f"(select * from feed_models where _file {side} {feed.older_files})"
            fields = ", ".join(f"cast({column.sql} as varchar)" for column in columns)
            first = "where _record = 0" if feed.expand else ""
            found += self.con.execute(
                f"select _file, _at_s, _id, [{fields}] from ({self._expanded(feed, rows)}) {first}"
            ).fetchall()
        return sorted(found, key=lambda row: (row[2], row[0]))

    def _truth(self, feed: Feed, number: int, close: int) -> FileTruth:
        day = self.start + timedelta(days=close)
        suffix = "csv" if feed.layout == "csv" else feed.layout
        zipped = ".gz" if number in feed.zipped_files else ""
        return FileTruth(
            feed.channel,
            feed.table,
            f"{feed.table}_{day:%Y%m%d}.{suffix}{zipped}",
            feed.layout,
            feed.encoding,
        )

    def _count(self, feed: Feed, truths: list[FileTruth]) -> None:
        for number, newest, rows in self.con.execute(
            "select _file, _is_newest, sum(_rows) from feed_rows group by all order by all"
        ).fetchall():
            truth = truths[number]
            truth.raw += int(rows)
            if newest:
                truth.loaded += int(rows)
            else:
                truth.superseded += int(rows)
        for first, second, newest, older in self.con.execute(
            """
            select _first_file, _file, coalesce(sum(_rows) filter (_is_newest), 0),
                coalesce(sum(_rows) filter (not _is_newest), 0)
            from feed_rows where _copy = 1 group by all order by all
            """
        ).fetchall():
            self._copies.append((truths[first], truths[second], int(newest), int(older)))

    def _write_file(
        self, feed: Feed, number: int, truth: FileTruth, broken: list[tuple[Fault, str]]
    ) -> None:
        folder = self.root / feed.channel / feed.table
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / truth.file_name
        plain = folder / f".{truth.file_name}.plain.tmp"
        self.written.files.append(truth)
        if feed.layout == "parquet":
            self._copy_parquet(feed, number, plain, broken)
        else:
            self._copy_lines(feed, number, plain)
        truth.raw += len(broken)
        truth.quarantined += len(broken)
        self.written.broken += [
            BrokenTruth(
                feed.channel,
                feed.table,
                truth.file_name,
                record.line,
                record.fault.code,
                record.fault.stage,
                record.fault.reason,
            )
            for record in broken
        ]
        header = b""
        if feed.layout == "csv":
            header = ",".join(c.name for c in feed.columns_of(number)).encode() + b"\n"
        copy_to = None
        if feed.repeated_file == number:
            stem, dot, rest = truth.file_name.partition(".")
            copy_to = folder / f"{stem}_again{dot}{rest}"
            self.written.files.append(
                FileTruth(
                    feed.channel,
                    feed.table,
                    copy_to.name,
                    feed.layout,
                    feed.encoding,
                    status="skipped",
                    reason="same bytes as " + truth.file_name,
                )
            )
        job = FinishJob(
            plain=plain,
            target=target,
            header=header,
            encoding=feed.encoding,
            with_bom=number in feed.bom_files,
            inserted=tuple(
                sorted((record.line, record.text) for record in broken)
                if feed.layout != "parquet"
                else ()
            ),
            copy_to=copy_to,
        )
        self._pending.append((truth, self._pool.submit(finish_file, job)))
        if copy_to is not None:
            self._pending.append((self.written.files[-1], self._pending[-1][1]))

    def _rows_of(self, feed: Feed, number: int) -> str:
        """Records of one file in their order, which a scan and an unnest keep."""
        return self._expanded(feed, f"(select * from feed_rows where _file = {number})")

    def _copy_lines(self, feed: Feed, number: int, plain: Path) -> None:
        columns = feed.columns_of(number)
        line = csv_line(columns) if feed.layout == "csv" else json_line(columns)
        self.con.execute(
            f"copy (select {line} from {self._rows_of(feed, number)}) to '{sql_path(plain)}' "
            "(format csv, header false, quote '', escape '', delimiter e'\\x1f')"
        )

    def _copy_parquet(self, feed: Feed, number: int, plain: Path, broken: list[Broken]) -> None:
        """Parquet cannot be patched, so the broken records are merged in here, as typed rows."""
        good = ", ".join(f"cast({c.sql} as {c.type}) as {c.name}" for c in feed.columns)
        bad = ", ".join(
            f"cast(json_extract_string(text, '$.{c.name}') as {c.type}) as {c.name}"
            for c in feed.columns
        )
        names = ", ".join(c.name for c in feed.columns)
        rows = f"select {good}, _at_s, _id, -1 as _number from {self._rows_of(feed, number)}"
        if broken:
            marks = ", ".join("(?, ?, ?, ?)" for _ in broken)
            rows += (
                f" union all select {bad}, at_s, id, number"
                f" from (values {marks}) as broken (at_s, id, number, text)"
            )
        self.con.execute(
            f"copy (select {names} from ({rows}) order by _at_s, _id, _number) to "
            f"'{sql_path(plain)}' (format parquet, compression zstd)",
            [value for b in broken for value in (b.at_s, b.row_id, b.number, b.text)],
        )


def csv_line(columns: tuple[Column, ...]) -> str:
    """SQL of one CSV line; NULL is an empty field."""
    return "concat(" + ", ',', ".join(column.sql for column in columns) + ")"


def json_line(columns: tuple[Column, ...]) -> str:
    """SQL of one JSON object; NULL members are left out."""
    parts: list[str] = []
    literal = "{"
    for number, column in enumerate(columns):
        quote = "" if column.bare else '"'
        start = f'{"," if number else ""}"{column.name}":{quote}'
        if column.always or not number:
            parts += [f"'{literal}{start}'", column.sql]
            literal = quote
        else:
            parts += [f"'{literal}'"] if literal else []
            parts.append(f"'{start}' || ({column.sql}) || '{quote}'")
            literal = ""
    return "concat(" + ", ".join([*parts, f"'{literal}}}'"]) + ")"


def sql_path(path: Path) -> str:
    """A path inside a single-quoted SQL literal."""
    return str(path).replace("'", "''")
