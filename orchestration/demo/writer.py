"""From feeds to files: which record goes into which delivery, and in which bytes.

A *feed* is one table of one channel. Its `source` is a relation with a row for each version of
each record; the writer decides in which delivery a row arrives (by the moment at which it was
known, some of them late), repeats a stretch of days in the next delivery (an overlapping export),
adds broken records, and writes one file for each delivery. Lines of text are made by DuckDB; Python
touches only whole files (encoding, gzip, SHA-256) and the few broken records.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.demo.faults import BAD_BYTES, BAD_MARK, Fault, break_csv, break_json
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
CHUNK = 1 << 20

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
    file calls the field by an alias. `type` is the SQL type in Parquet.
    """

    name: str
    sql: str
    bare: bool = False
    means: str = ""
    type: str = "varchar"

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
        broken = self._break(feed)
        truths = [self._truth(feed, number, close) for number, close in enumerate(closes)]
        self._count(feed, truths)
        for number, truth in enumerate(truths):
            if truth.raw:
                self._write_file(feed, number, truth, broken.get(number, []))
        self.con.execute("drop table feed_rows; drop table if exists feed_broken")

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
                select *{rows}, case {numbers} else {last} end as _due
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

    def _break(self, feed: Feed) -> dict[int, list[tuple[Fault, str]]]:
        """`feed_broken`: the broken records as lines, beside the good records they were made from.

        Records whose shape is broken all go into one delivery, the smallest in which they stay
        rare, as one bad export would do it; broken values lie anywhere, but are rare in every file.
        """
        sizes = self.con.execute(
            "select _file, sum(_rows) from feed_rows group by 1 order by 2, 1"
        ).fetchall()
        total = sum(rows for _, rows in sizes)
        budget = min(int(total * BROKEN_SHARE), BROKEN_OF_A_KIND * len(feed.faults))
        if total < SMALLEST_BROKEN_TABLE or not budget:
            return {}
        planned: list[Fault] = []
        for turn in range(budget):
            fault = feed.faults[turn % len(feed.faults)]
            if sum(f.records for f in planned) + fault.records <= budget:
                planned.append(fault)
        shapes = sum(fault.stage == "landing" for fault in planned)
        bad_export = next((n for n, rows in sizes if rows * BROKEN_SHARE >= shapes), sizes[-1][0])
        room = {number: int(rows * MOST_BROKEN_SHARE) for number, rows in sizes}
        candidates = {
            "landing": self._models(feed, 2 * shapes, bad_export),
            "unified": self._models(feed, 3 * len(planned)),
        }
        by_file: dict[int, list[tuple[Fault, str]]] = {}
        lines: list[tuple[int, int, int, int, str]] = []
        for number, fault in enumerate(planned):
            models = candidates[fault.stage]
            model = next((m for m in models if room[m[0]] >= fault.records), None)
            if model is None:
                continue
            models.remove(model)
            file_number, at_s, row_id, texts = model
            room[file_number] -= fault.records
            fresh = feed.fresh_key(number) if feed.fresh_key else None
            columns = feed.columns_of(file_number)
            maker = break_csv if feed.layout == "csv" else break_json
            for part, line in enumerate(maker(fault, columns, texts, feed.key, fresh)):
                lines.append((file_number, at_s, row_id, 1 + part + 2 * number, line))
                by_file.setdefault(file_number, []).append((fault, line))
        self.con.execute(
            "create or replace temp table feed_broken"
            " (_file bigint, _at_s bigint, _id bigint, _broken bigint, _text varchar)"
        )
        if lines:
            marks = ", ".join("(?, ?, ?, ?, ?)" for _ in lines)
            self.con.execute(
                f"insert into feed_broken values {marks}", [value for row in lines for value in row]
            )
        return by_file

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
            self._copy_parquet(feed, number, plain, bool(broken))
        else:
            self._copy_lines(feed, number, plain, bool(broken))
        if broken:
            self._record_broken(feed, number, truth, broken)
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
            with_bad_bytes=bool(broken) and feed.layout != "parquet",
            copy_to=copy_to,
        )
        self._pending.append((truth, self._pool.submit(finish_file, job)))
        if copy_to is not None:
            self._pending.append((self.written.files[-1], self._pending[-1][1]))

    def _rows_of(self, feed: Feed, number: int, has_broken: bool) -> str:
        """Rows of one file in their order, with `_text` set for the broken ones."""
        rows = self._expanded(feed, f"(select * from feed_rows where _file = {number})")
        rows = f"select *, 0 as _broken, cast(null as varchar) as _text from {rows}"
        record = ", 0 as _record" if feed.expand else ""
        if has_broken:
            rows += (
                " union all by name select _at_s, _id, _broken, _text, 0 as _copy, 0 as _version"
                f"{record} from feed_broken where _file = {number}"
            )
        record = ", _record" if feed.expand else ""
        order = f"_at_s, _id, _broken > 0, _version, _copy{record}, _broken"
        return f"(select * from ({rows}) order by {order})"

    def _copy_lines(self, feed: Feed, number: int, plain: Path, has_broken: bool) -> None:
        columns = feed.columns_of(number)
        line = csv_line(columns) if feed.layout == "csv" else json_line(columns)
        if has_broken:
            line = f"case when _text is null then {line} else _text end"
        self.con.execute(
            f"copy (select {line} from {self._rows_of(feed, number, has_broken)}) to "
            f"'{sql_path(plain)}' "
            "(format csv, header false, quote '', escape '', delimiter e'\\x1f')"
        )

    def _copy_parquet(self, feed: Feed, number: int, plain: Path, has_broken: bool) -> None:
        fields = ", ".join(
            f"case when _text is null then {c.sql}"
            f" else cast(json_extract_string(_text, '$.{c.name}') as {c.type}) end as {c.name}"
            if has_broken
            else f"cast({c.sql} as {c.type}) as {c.name}"
            for c in feed.columns
        )
        self.con.execute(
            f"copy (select {fields} from {self._rows_of(feed, number, has_broken)}) to "
            f"'{sql_path(plain)}' "
            "(format parquet, compression zstd)"
        )

    def _record_broken(
        self, feed: Feed, number: int, truth: FileTruth, broken: list[tuple[Fault, str]]
    ) -> None:
        """Note each broken record with its physical first line (a header is line 1)."""
        found = self.con.execute(
            f"""
            select
                _broken,
                (select coalesce(sum(_rows + ({feed.newlines})), 0) from feed_rows
                    where _file = {number} and (_at_s, _id) <= (feed_broken._at_s, feed_broken._id))
                + row_number() over (order by _at_s, _id, _broken) as place
            from feed_broken
            where _file = {number}
            order by _broken
            """
        ).fetchall()
        first = 1 if feed.layout == "csv" else 0
        for (fault, _), (_, place) in zip(broken, found, strict=True):
            self.written.broken.append(
                BrokenTruth(
                    feed.channel,
                    feed.table,
                    truth.file_name,
                    int(place) + first,
                    fault.code,
                    fault.stage,
                    fault.reason,
                )
            )
        truth.raw += len(broken)
        truth.quarantined += len(broken)


def csv_line(columns: tuple[Column, ...]) -> str:
    """SQL of one CSV line; NULL is an empty field."""
    return "concat(" + ", ',', ".join(column.sql for column in columns) + ")"


def json_line(columns: tuple[Column, ...]) -> str:
    """SQL of one JSON object; NULL members are left out, and the first column is never NULL."""
    first, *others = columns
    parts = [f"""'{{"{first.name}":"', {first.sql}, '"'"""]
    for column in others:
        quote = "" if column.bare else '"'
        parts.append(f"""',"{column.name}":{quote}' || ({column.sql}) || '{quote}'""")
    return "concat(" + ", ".join(parts) + ", '}')"


@dataclass(frozen=True)
class FinishJob:
    """How a plain UTF-8 file becomes the delivered one."""

    plain: Path
    target: Path
    header: bytes
    encoding: str
    with_bom: bool
    with_bad_bytes: bool
    copy_to: Path | None


def finish_file(job: FinishJob) -> tuple[str, int]:
    """Encode, compress, hash and rename a file; return its SHA-256 and its size in bytes."""
    part = job.target.with_name(f".{job.target.name}.tmp")
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as out:
        for block in _compressed(job) if job.target.suffix == ".gz" else _encoded(job):
            digest.update(block)
            size += len(block)
            out.write(block)
    job.plain.unlink()
    part.replace(job.target)
    if job.copy_to is not None:
        job.copy_to.write_bytes(job.target.read_bytes())
    return digest.hexdigest(), size


def _encoded(job: FinishJob) -> Iterator[bytes]:
    """Blocks of the file in its declared encoding."""
    encode = job.encoding != "utf-8"
    encoding = "utf-16-le" if job.encoding == "utf-16" else job.encoding
    if job.with_bom or job.encoding == "utf-16":
        yield "\ufeff".encode(encoding)
    yield job.header.decode().encode(encoding)
    with job.plain.open("rb") as lines:
        while block := lines.read(CHUNK):
            if encode or job.with_bad_bytes:
                block += lines.readline()
            if encode:
                block = block.decode().encode(encoding)
            if job.with_bad_bytes:
                block = block.replace(BAD_MARK, BAD_BYTES)
            yield block


def _compressed(job: FinishJob) -> Iterator[bytes]:
    """The same as one gzip member without a time stamp."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for block in _encoded(job):
        yield packer.compress(block)
    yield packer.flush()


def sql_path(path: Path) -> str:
    """A path inside a single-quoted SQL literal."""
    return str(path).replace("'", "''")
